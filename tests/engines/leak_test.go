// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// look returns what a container could leave behind: processes, mounts, cgroups, interfaces, and
// the directories of state. A room has nothing but its own.
func look() []string {
	return slices.Concat(processes(), mounts(), cgroups(), interfaces(), states())
}

// nothingLeft waits until nothing is there that was not there before.
func nothingLeft(t *testing.T, before []string) {
	err := wait(func() error {
		var left []string
		for _, line := range look() {
			if !slices.Contains(before, line) {
				left = append(left, line)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func processes() []string {
	var lines []string
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		// Kernel threads have no command line, but none is in this namespace. A zombie has none
		// either.
		line, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err != nil {
			continue
		}
		name, _ := os.ReadFile("/proc/" + entry.Name() + "/comm")
		lines = append(lines, fmt.Sprintf("process %s %s %s", entry.Name(), strings.TrimSpace(string(name)), strings.ReplaceAll(string(line), "\x00", " ")))
	}
	return lines
}

func mounts() []string {
	var lines []string
	data, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			lines = append(lines, "mount "+fields[4])
		}
	}
	return lines
}

func cgroups() []string {
	var lines []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && !engineCgroup(path) {
			lines = append(lines, "cgroup "+path)
		}
		return nil
	})
	return lines
}

// engineCgroup says whether a cgroup is an engine's parent of containers, which it keeps.
func engineCgroup(path string) bool {
	return slices.Contains([]string{"docker", "buildkit", "libpod_parent", "machine.slice", "k8s.io", "crio", "default"}, filepath.Base(path))
}

func interfaces() []string {
	var lines []string
	all, _ := net.Interfaces()
	for _, i := range all {
		lines = append(lines, "interface "+i.Name)
	}
	return lines
}

// states returns the containers in the directories of state that runtimes have by default, or get
// from engines.
func states() []string {
	var lines []string
	for _, pattern := range []string{
		"/run/berth/*", "/run/runc/*", "/run/crun/*", "/run/containerd/runc/*/*",
		"/run/docker/runtime-*/*/*", "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*",
		"/run/containerd/io.containerd.runtime.v2.task/*/*",
	} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			// A runtime's own cache is no container's.
			if !strings.HasPrefix(filepath.Base(path), ".") {
				lines = append(lines, "state "+path)
			}
		}
	}
	return lines
}
