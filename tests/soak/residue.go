// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// residue lists what a run has left behind, one item per line.
type residue []string

// take collects everything: processes that have become children of this one, mounts on the host,
// cgroups, state directories and descriptors.
func take(s *soak) (residue, error) {
	var all residue
	for _, look := range []func(*soak) ([]string, error){processes, mounts, cgroups, states, descriptors} {
		lines, err := look(s)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

// less returns what is in after, but not in before.
func (before residue) less(after residue) []string {
	before = slices.Clone(before)
	var more []string
	for _, line := range after {
		if i := slices.Index(before, line); i >= 0 {
			before = slices.Delete(before, i, i+1)
		} else {
			more = append(more, line)
		}
	}
	return more
}

// reap reaps the processes that have become children of this one and end, until there are none,
// or for as long as a command may take.
func reap() {
	none := make(chan struct{})
	go func() {
		defer close(none)
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	select {
	case <-none:
	case <-time.After(limit):
	}
}

// processes returns the descendants of this process, which is the subreaper, and all processes in
// a cgroup of the run.
func processes(s *soak) ([]string, error) {
	reap()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	var list []string
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has ended
		}
		rest := string(stat)[strings.LastIndexByte(string(stat), ')')+1:]
		fields := strings.Fields(rest)
		if len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}
	for pid := range parents {
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if pid != os.Getpid() && descends(parents, pid) || strings.Contains(string(cgroup), s.token) {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			list = append(list, fmt.Sprintf("process %d: %q, %.40s", pid, command, state))
		}
	}
	return list, nil
}

func descends(parents map[int]int, pid int) bool {
	for range 1000 {
		if pid == os.Getpid() {
			return true
		}
		parent, ok := parents[pid]
		if !ok || parent == 0 {
			return false
		}
		pid = parent
	}
	return false
}

func mounts(*soak) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		list = append(list, "mount "+strings.TrimSpace(line))
	}
	return list, nil
}

// cgroups returns the cgroups below the parents that runtimes create for the run.
func cgroups(s *soak) ([]string, error) {
	var list []string
	for _, parent := range cgroupParents(s.token) {
		err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() && path != parent {
				list = append(list, "cgroup "+path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func cgroupParents(token string) []string {
	var list []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		dirs, err := filepath.Glob(pattern + token)
		if err == nil {
			list = append(list, dirs...)
		}
	}
	return list
}

// removeParents removes the cgroups that runtimes leave above those of containers.
func removeParents(token string) error {
	var errs []error
	for _, dir := range cgroupParents(token) {
		// The same hierarchy may be mounted under two names.
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("rmdir %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

func states(s *soak) ([]string, error) {
	entries, err := os.ReadDir(s.stateRoot())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		list = append(list, "state "+e.Name())
	}
	return list, nil
}

// descriptors returns those of this process.
func descriptors(*soak) ([]string, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "/proc/") {
			list = append(list, "descriptor "+target)
		}
	}
	return list, nil
}
