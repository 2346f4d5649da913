// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupLeak is an entry of known-gaps for a runtime that sometimes leaves cgroups behind.
const cgroupLeak = "leaked cgroup"

// watchLeaks fails the test if something that did not exist before is left after all other
// cleanups.
func watchLeaks(t *testing.T) {
	t.Helper()
	fds, mounts := openFiles(t), mountPoints(t)
	t.Cleanup(func() {
		alive, err := endProcesses(dying)
		if err != nil {
			t.Error(err)
		}
		for _, p := range alive {
			t.Errorf("leak: process %s", p)
		}
		for _, m := range mountPoints(t) {
			if !slices.Contains(mounts, m) {
				t.Errorf("leak: mount %s", m)
				_ = unix.Unmount(m, unix.MNT_DETACH)
			}
		}
		// An empty cgroup in a hierarchy that only the tests have mounted (more_hierarchies) may
		// not be the test's own: criu, when runc calls it at the same time, saves and restores
		// all cgroups of any hierarchy in whose root its container is.
		for _, dir := range cgroupsOf(suite.token) {
			switch reason := findGap(cgroupLeak); {
			case filepath.Base(dir) == suite.token, suite.users.isSession(dir):
			case reason != "":
				t.Logf("cgroup %s is left: %s", dir, reason)
				_ = os.Remove(dir)
			default:
				t.Errorf("leak: cgroup %s", dir)
				_ = os.Remove(dir)
			}
		}
		for _, f := range openFiles(t) {
			if !slices.Contains(fds, f) {
				t.Errorf("leak: fd %s", f)
			}
		}
	})
}

// openFiles lists the open descriptors of this process and what they refer to. Those of the Go
// run time are left out, as it opens them when it first needs them.
func openFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(target, "anon_inode:[event") || strings.HasSuffix(target, "/fd") ||
			target == "anon_inode:[pidfd]" {
			continue
		}
		all = append(all, e.Name()+" "+target)
	}
	return all
}

// mountPoints lists the mount points of this mount namespace.
func mountPoints(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		all = append(all, strings.Fields(line)[4])
	}
	return all
}

// livingProcesses is endProcesses, but a failure ends the test.
func livingProcesses(t *testing.T) []string {
	t.Helper()
	alive, err := endProcesses(0)
	if err != nil {
		t.Fatal(err)
	}
	return alive
}

// endProcesses lists and kills the children of this process, and all processes in a cgroup of
// this run. It also reaps zombies: nobody else reaps those of containers for whose end no test
// has waited. A process that ends by itself within grace does not count.
func endProcesses(grace time.Duration) (alive []string, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, err := readStat(pid)
		if err != nil {
			continue
		}
		ours := st.ppid == os.Getpid()
		if ours && st.state == "Z" {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			continue
		}
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if st.state == "Z" || st.state == "X" || !ours && !strings.Contains(string(cgroup), suite.token) {
			continue
		}
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if grace > 0 && endsWithin(pid, grace) {
			continue
		}
		alive = append(alive, fmt.Sprintf("%d (%s) %q", pid, st.state, cmdline))
		killAndReap(pid)
	}
	return alive, nil
}

// dying is how long a process may take to end after the process that it served was killed.
const dying = 3 * time.Second

// endsWithin waits at most grace for a process to end, and reaps it.
func endsWithin(pid int, grace time.Duration) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	deadline := time.Now().Add(grace)
	n := 0
	for n == 0 {
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		if n, err = unix.Poll(p, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		n = max(n, 0)
	}
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return true
}

// reapZombies reaps the children of this process that have ended. No command may be waited for at
// the same time.
func reapZombies(t *testing.T) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tasks {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // The thread has ended.
		}
		for _, word := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
	}
}

// killAndReap kills a process and waits until it is gone.
func killAndReap(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	_ = pollIn(fd)
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
}

// procStat has some fields of /proc/PID/stat.
type procStat struct {
	state     string
	ppid      int
	startTime uint64
}

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	// The name, in parentheses, may contain any character.
	f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(f) < 20 {
		return procStat{}, fmt.Errorf("/proc/%d/stat: %q", pid, data)
	}
	ppid, err := strconv.Atoi(f[1])
	if err != nil {
		return procStat{}, err
	}
	start, err := strconv.ParseUint(f[19], 10, 64)
	return procStat{f[0], ppid, start}, err
}

// cgroupsOf lists the cgroup directories whose path contains word, deepest first.
func cgroupsOf(word string) []string {
	var found []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		// Containers of others may come and go during the walk.
		if err == nil && d.IsDir() && strings.Contains(path, word) {
			found = append(found, path)
		}
		return nil
	})
	slices.Reverse(found)
	return found
}

// removeCgroupParents removes the cgroups that runtimes have created above those of the
// containers and do not remove.
func removeCgroupParents() {
	for _, dir := range cgroupsOf(suite.token) {
		_ = os.Remove(dir)
	}
}
