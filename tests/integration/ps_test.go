// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// threeProcesses starts a container with three processes.
func threeProcesses(t *testing.T) *container {
	c := newContainer(t)
	ready := c.fifo("ready")
	c.sh("sleep 10000 & sleep 10001 & echo up >/ready; wait")
	c.create().start()
	ready.line()
	return c
}

func TestPsJSON(t *testing.T) {
	c := threeProcesses(t)
	anotherContainer(t, c).running()
	for _, args := range [][]string{{"--format", "json"}, {"--format=json"}, {"-f", "json"}} {
		r := c.command(append(append([]string{"ps"}, args...), c.id)...).must()
		var pids []int
		decode(t, r.out, &pids)
		slices.Sort(pids)
		if w := cgroupPIDs(c); !slices.Equal(pids, w) || len(w) != 3 {
			t.Errorf("%q: pids %v, want %v", args, pids, w)
		}
		if suite.name != "crun" && strings.ContainsAny(strings.TrimSpace(r.out), " \n") || r.stderr != "" {
			t.Errorf("%q: printed %q and %q", args, r.out, r.stderr)
		}
	}
}

// TestPsOfNobody: without processes, the JSON is an empty array, both for a stopped container and
// for one whose cgroup was removed.
func TestPsOfNobody(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("true").create().start()
	c.wait()
	want(t, "stopped", c.command("ps", "-f", "json", c.id).must().out, "[]\n")
	for _, dir := range cgroupsOf(c.id) {
		if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	want(t, "without a cgroup", c.command("ps", "-f", "json", c.id).must().out, "[]\n")
}

func TestPsTable(t *testing.T) {
	c := threeProcesses(t)
	anotherContainer(t, c).running()
	for _, test := range []struct {
		options []string
		heading string
		column  int
	}{
		{nil, "UID PID PPID C STIME TTY TIME CMD", 1},
		{[]string{"-ef"}, "UID PID PPID C STIME TTY TIME CMD", 1},
		{[]string{"-A", "-o", "pid,comm"}, "PID COMMAND", 0},
		{[]string{"aux"}, "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND", 1},
	} {
		lines := strings.Split(strings.TrimSpace(c.command(append([]string{"ps", c.id}, test.options...)...).must().out), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); got != test.heading {
			t.Fatalf("%q: heading %q, want %q", test.options, got, test.heading)
		}
		var pids []int
		for _, l := range lines[1:] {
			pid, err := strconv.Atoi(strings.Fields(l)[test.column])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		slices.Sort(pids)
		if w := cgroupPIDs(c); !slices.Equal(pids, w) {
			t.Errorf("%q: pids %v, want %v", test.options, pids, w)
		}
	}
}

// TestPsColumnBehindText: pids are found after a column whose text has spaces.
func TestPsColumnBehindText(t *testing.T) {
	c := threeProcesses(t)
	lines := strings.Split(strings.TrimSpace(c.command("ps", c.id, "-A", "-o", "args,pid").must().out), "\n")
	if len(lines) != 4 {
		t.Errorf("%q, want a heading and three processes", lines)
	}
}

func TestPsErrors(t *testing.T) {
	c := newContainer(t).running()
	c.command("ps", c.id, "-A", "-o", "comm").fails("couldn't find PID field in ps output", "")
	c.command("ps", c.id, "--no-such-option").fails("exit status 1", "")
	c.command("ps", "--format", "xml", c.id).fails("", "")
	c.command("ps", "nobody").fails("container does not exist", "")
}

// TestPsReason: the error has the reason why ps refuses its options, but not the usage text of
// ps.
func TestPsReason(t *testing.T) {
	c := newContainer(t).running()
	r := c.command("ps", c.id, "--no-such-option").fails("ps: exit status 1: error: unknown gnu long option", "")
	if strings.Contains(r.stderr, "Usage") || strings.Contains(r.stderr, `\n`) {
		t.Errorf("stderr %q", r.stderr)
	}
}

// TestPsMissing: the host may not have ps.
func TestPsMissing(t *testing.T) {
	c := newContainer(t).running()
	c.env = []string{"PATH=/nonexistent"}
	c.command("ps", c.id).fails(`exec: "ps": executable file not found in $PATH"`, "")
	c.env = nil
	c.command("ps", "--format", "json", c.id).must()
}

// TestPsStopped: a stopped container has no processes, which is not an error.
func TestPsStopped(t *testing.T) {
	c := newContainer(t).create().start()
	c.wait()
	want(t, "lines", fmt.Sprint(strings.Count(c.command("ps", c.id).must().out, "\n")), "1")
	var pids []int
	decode(t, c.command("ps", "-f", "json", c.id).must().out, &pids)
	if len(pids) != 0 {
		t.Errorf("pids %v", pids)
	}
}
