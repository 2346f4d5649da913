// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// describeHung describes what a command that did not end was doing: its processes, the kernel
// function in which each waits, and the ends of criu's logs below dir.
func describeHung(pid int, dir string) string {
	var b strings.Builder
	describeTree(&b, pid, "")
	for _, name := range [...]string{"dump.log", "restore.log"} {
		logs, _ := filepath.Glob(filepath.Join(dir, "*", name))
		for _, path := range logs {
			data, err := os.ReadFile(path)
			const most = 2000
			fmt.Fprintf(&b, "%s (%v):\n%s\n", path, err, data[max(0, len(data)-most):])
		}
	}
	return b.String()
}

// describeTree prints a process, its threads, and its children.
func describeTree(b *strings.Builder, pid int, indent string) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		var facts []string
		for _, file := range [...]string{"comm", "wchan", "syscall", "stack"} {
			data, err := os.ReadFile(filepath.Join(task, file))
			if err == nil {
				facts = append(facts, strings.Join(strings.Fields(string(data)), " "))
			}
		}
		stat, _ := os.ReadFile(filepath.Join(task, "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		fmt.Fprintf(b, "%s%s %.1s: %s\n", indent, task, rest, strings.Join(facts, " | "))
		children, _ := os.ReadFile(filepath.Join(task, "children"))
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				describeTree(b, n, indent+"  ")
			}
		}
	}
}

// TestDescribeHung: the description of a command that does not end.
func TestDescribeHung(t *testing.T) {
	c := newContainer(t)
	c.mkdir(c.path("logs"))
	c.content(c.path("logs", "dump.log"), "where criu was")
	stdin, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close() // ends cat
	r := c.exec(stdin, "/bin/sh", "-c", "cat; true")
	stdin.Close()
	if r.err != nil {
		t.Fatal(r.err)
	}
	var said string
	for deadline := time.Now().Add(suite.limit / 2); time.Now().Before(deadline) && !strings.Contains(said, ": cat | "); _, _ = unix.Poll(nil, 1) {
		said = describeHung(r.cmd.Process.Pid, c.dir)
	}
	if !strings.Contains(said, ": sh | ") || !strings.Contains(said, "\n  /proc/") || !strings.HasSuffix(said, "where criu was\n\n") {
		t.Errorf("description of a waiting shell: %q", said)
	}
	r.cancel()
	got, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != -9 || !strings.Contains(r.hung, ": cat | ") {
		t.Errorf("status %d, description %q", got.status, r.hung)
	}
}
