// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Pids lists the processes in d and in every cgroup below it, as pids of the
// caller's pid namespace. A cgroup that is missing, or vanishes meanwhile, has
// none.
func (d Dir) Pids() ([]int, error) {
	var pids []int
	err := d.walk(func(c Dir) error {
		p, err := c.procs()
		pids = append(pids, p...)
		return err
	})
	return pids, err
}

// Enter puts process pid into d, unless it is there.
func (d Dir) Enter(pid int) error {
	pids, err := d.procs()
	if err != nil || slices.Contains(pids, pid) {
		return err
	}
	if err := d.Write("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("place in cgroup %s: %w", d, err)
	}
	return nil
}

func (d Dir) procs() ([]int, error) {
	text, err := d.Read("cgroup.procs")
	threads := false
	if errors.Is(err, unix.EOPNOTSUPP) {
		// A threaded cgroup (v2): its processes are listed at the root of the
		// threaded subtree, which may lie above the container's cgroup.
		threads = true
		text, err = d.Read("cgroup.threads")
	}
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", d, err)
	}
	pids, err := ParsePids(text)
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: cgroup.procs: %w", d, err)
	}
	if threads {
		return leaders(pids), nil
	}
	return pids, nil
}

// leaders turns thread ids into the process ids they belong to, each once.
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

// ParsePids reads a list of process ids, one a line. Zeros, which stand for
// processes outside the reader's pid namespace, are left out: a signal to pid 0
// would hit the reader's own process group.
func ParsePids(text string) ([]int, error) {
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

// walk calls f for every cgroup below d, deepest first, and for d last.
func (d Dir) walk(f func(Dir) error) error {
	children, err := d.children()
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := c.walk(f); err != nil {
			return err
		}
	}
	return f(d)
}

// children lists the cgroups directly below d.
func (d Dir) children() ([]Dir, error) {
	// The link count of a kernfs directory is 2 plus its subdirectories: one
	// stat saves reading the dozens of files of a cgroup that has none.
	var st unix.Stat_t
	if err := unix.Stat(string(d), &st); gone(err) {
		return nil, nil
	} else if err == nil && st.Nlink == 2 {
		return nil, nil
	}
	entries, err := os.ReadDir(string(d))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []Dir
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, Dir(filepath.Join(string(d), e.Name())))
		}
	}
	return dirs, nil
}

// gone says whether err means that the cgroup does not exist (any more): a read
// from a file of a removed cgroup gives ENODEV.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}
