// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hierarchies returns the mount points of cgroups by controllers; "" is the unified hierarchy.
func hierarchies() map[string]string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if len(before) < 5 || len(after) < 3 || !strings.HasPrefix(before[4], "/sys/fs/cgroup") {
			continue
		}
		switch after[0] {
		case "cgroup2":
			all[""] = before[4]
		case "cgroup":
			for option := range strings.SplitSeq(after[2], ",") {
				all[option] = before[4]
			}
		}
	}
	return all
}

// limitFiles are the files with limits that a runtime can set.
var limitFiles = strings.Fields(`memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes
	memory.kmem.tcp.limit_in_bytes memory.swappiness memory.oom_control memory.use_hierarchy
	cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpu.cfs_burst_us cpu.rt_runtime_us cpu.rt_period_us cpu.idle
	cpuset.cpus cpuset.mems pids.max devices.list freezer.state blkio.weight blkio.leaf_weight blkio.bfq.weight
	blkio.throttle.read_bps_device blkio.throttle.write_bps_device blkio.throttle.read_iops_device
	blkio.throttle.write_iops_device hugetlb.2MB.limit_in_bytes hugetlb.2MB.rsvd.limit_in_bytes
	net_cls.classid net_prio.ifpriomap
	memory.max memory.high memory.low memory.min memory.swap.max memory.oom.group
	cpu.max cpu.max.burst cpu.weight io.max io.weight io.bfq.weight hugetlb.2MB.max hugetlb.2MB.rsvd.max rdma.max
	misc.max cgroup.type cgroup.freeze cgroup.max.depth cgroup.max.descendants`)

// cgroups records the cgroups of the container's first process.
func (w *watch) cgroups() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", w.pid))
	if err != nil {
		w.o["cgroup"] = err.Error()
		return
	}
	mounts, own := hierarchies(), ownCgroups()
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		first, _, _ := strings.Cut(controllers, ",")
		dir, mounted := mounts[first]
		if !mounted {
			continue
		}
		w.o["cgroup."+controllers] = below(own[controllers], path)
		for _, name := range limitFiles {
			data, err := os.ReadFile(filepath.Join(dir, path, name))
			if err == nil {
				lines := strings.Split(strings.TrimSpace(string(data)), "\n")
				// The lines are in the order in which they were written, which does not matter.
				slices.Sort(lines)
				w.o["cgroup."+name] = strings.Join(lines, "\n")
			} else if !errors.Is(err, fs.ErrNotExist) {
				w.o["cgroup."+name] = errorWord(err)
			}
		}
	}
}

// ownCgroups returns the cgroups of this process by controllers.
func ownCgroups() map[string]string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	own := map[string]string{}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		own[controllers] = path
	}
	return own
}

// below returns path relative to the cgroup of this process: on cgroup v1, some runtimes create
// cgroups below their own, and some at the root.
func below(own, path string) string {
	if rest, ok := strings.CutPrefix(path, own); ok && own != "/" && strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}

func errorWord(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// cgroupsLeft returns the cgroups whose paths contain the token of this job.
func (w *watch) cgroupsLeft() []string {
	seen := map[string]bool{}
	var left []string
	for _, dir := range hierarchies() {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		for _, pattern := range []string{"*", "*/*", "*/*/*"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern+w.Cgroup+"*"))
			ids, _ := filepath.Glob(filepath.Join(dir, pattern+w.ID+"*"))
			for _, path := range append(found, ids...) {
				if st, err := os.Stat(path); err == nil && st.IsDir() && !seen[path] {
					seen[path] = true
					left = append(left, path)
				}
			}
		}
	}
	slices.Sort(left)
	return left
}

// removeCgroup removes a cgroup that no longer has processes.
func removeCgroup(dir string) {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = os.Remove(dirs[i])
	}
}
