// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Pids lists the processes in d and in every cgroup below it, as pids of the caller's pid
// namespace. A cgroup that does not exist, or disappears in the meantime, has none.
func (d Dir) Pids() ([]int, error) {
	var pids []int
	err := d.walk(func(dir, _ int, _ string) error {
		p, err := procs(dir)
		pids = append(pids, p...)
		return err
	})
	if err != nil {
		err = fmt.Errorf("cgroup %s: %w", d, err)
	}
	return pids, err
}

// Enter moves process pid into d, unless it is there already.
func (d Dir) Enter(pid int) error {
	in, err := d.has(pid)
	if err != nil || in {
		return err
	}
	if err := d.Write("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("place in cgroup %s: %w", d, err)
	}
	return nil
}

// has reports whether process pid is in d itself.
func (d Dir) has(pid int) (bool, error) {
	dir, err := d.descriptor()
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(dir)
	pids, err := procs(dir)
	if err != nil {
		err = fmt.Errorf("cgroup %s: %w", d, err)
	}
	return slices.Contains(pids, pid), err
}

// procs lists the processes of one cgroup, given the descriptor of its directory.
func procs(dir int) ([]int, error) {
	text, err := readAt(dir, "cgroup.procs")
	threads := false
	if errors.Is(err, unix.EOPNOTSUPP) {
		// A threaded cgroup (v2): its processes are listed at the root of the
		// threaded subtree, which may lie above the container's cgroup.
		threads = true
		text, err = readAt(dir, "cgroup.threads")
	}
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pids, err := parsePids(text)
	if err != nil {
		return nil, fmt.Errorf("cgroup.procs: %w", err)
	}
	if threads {
		return leaders(pids), nil
	}
	return pids, nil
}

// leaders returns the process ids that thread ids belong to, each once.
func leaders(tids []int) []int {
	var pids []int
	seen := make(map[int]bool)
	for _, tid := range tids {
		status, err := ReadProc("/proc/" + strconv.Itoa(tid) + "/status")
		if err != nil {
			continue // It has ended.
		}
		_, rest, _ := strings.Cut(status, "\nTgid:")
		line, _, _ := strings.Cut(rest, "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err == nil && !seen[pid] {
			seen[pid] = true
			pids = append(pids, pid)
		}
	}
	return pids
}

// parsePids parses a list of process ids, one per line. Zeros, which stand for processes
// outside the reader's pid namespace, are left out: a signal to pid 0 would hit the reader's
// own process group.
func parsePids(text string) ([]int, error) {
	var pids []int
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		pid, err := strconv.ParseUint(line, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("not a process id: %q", line)
		}
		if pid != 0 {
			pids = append(pids, int(pid))
		}
	}
	return pids, nil
}
