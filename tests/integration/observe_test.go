// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// decode decodes JSON. There must be nothing after it.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// children lists the living child processes of the tests.
func children(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := readStat(pid); err == nil && st.ppid == os.Getpid() && st.state != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// endsSoon waits for the end of a process that is already being killed.
func endsSoon(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	return pollIn(fd) == nil
}

// killAndWaitZombie kills the container's first process, and waits for its end without reaping
// it.
func killAndWaitZombie(c *container) {
	c.t.Helper()
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		c.t.Fatal(err)
	}
	if err := pollIn(fd); err != nil {
		c.t.Fatal(err)
	}
}

// cgroupDir returns the container's cgroup on the host. controller is only used on v1.
func (c *container) cgroupDir(controller string) string {
	if suite.unified {
		return filepath.Join("/sys/fs/cgroup", c.cgroup)
	}
	return filepath.Join("/sys/fs/cgroup", controller, c.cgroup)
}

// cgroupFile reads a file of the container's cgroup.
func (c *container) cgroupFile(controller, file string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.cgroupDir(controller), file))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// cgroupPIDs lists the processes in the container's cgroup, or in its pid namespace if it has no
// cgroup.
func cgroupPIDs(c *container) []int {
	c.t.Helper()
	if !suite.users.haveCgroups() {
		return namespacePIDs(c)
	}
	var pids []int
	for _, f := range strings.Fields(c.cgroupFile("memory", "cgroup.procs")) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			c.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// namespacePIDs lists the processes in the container's pid namespace.
func namespacePIDs(c *container) []int {
	c.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		c.t.Fatal(err)
	}
	namespace := nsOf(c.t, c.pid, "pid")
	var pids []int
	for _, file := range all {
		if ns, err := os.Readlink(file); err != nil || ns != namespace {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			c.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func marshal(t *testing.T, doc any) []byte {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// replaceNumber replaces a number that is a JSON value, and returns how many times.
func replaceNumber(text *string, from, to int) int {
	value := regexp.MustCompile(`(:\s*)` + strconv.Itoa(from) + `\b`)
	n := len(value.FindAllString(*text, -1))
	*text = value.ReplaceAllString(*text, "${1}"+strconv.Itoa(to))
	return n
}

// kernelAtLeast reports whether the kernel is of that version or a later one.
func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var is [2]int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &is[0], &is[1]); err != nil {
		t.Fatal(err)
	}
	return is[0] > major || is[0] == major && is[1] >= minor
}
