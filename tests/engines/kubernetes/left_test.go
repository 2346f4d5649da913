// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// left returns what containers could leave on the nodes: processes, mounts, cgroups, and what
// the runtime, the shim and the network plugins keep.
func (c *cluster) left(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, n := range c.nodes {
		some, err := n.left()
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range some {
			all = append(all, n.name+": "+what)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *node) left() ([]string, error) {
	var all []string
	for _, part := range []func() ([]string, error){n.leftProcesses, n.leftMounts, n.leftCgroups, n.leftFiles} {
		some, err := part()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// containerProcesses returns the processes of the node that are no daemons of it: containers,
// and their shims.
func (n *node) containerProcesses() ([]int, error) {
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/" + n.cgroup)
	if err != nil {
		return nil, err
	}
	own := []int{n.first.Process.Pid}
	for _, d := range []*daemon{n.containerd, n.kubelet, n.proxy} {
		if d.running() {
			own = append(own, d.cmd.Process.Pid)
		}
	}
	var all []int
	for _, dir := range hierarchies {
		pids, err := processes(dir)
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			if !slices.Contains(own, pid) {
				all = append(all, pid)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// killContainers kills them, and waits for their end.
func (n *node) killContainers() error {
	return until(20*time.Second, "the end of the containers", func() error {
		pids, err := n.containerProcesses()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("%d processes", len(pids))
		}
		return nil
	})
}

func (n *node) leftProcesses() ([]string, error) {
	pids, err := n.containerProcesses()
	var all []string
	for _, pid := range pids {
		if line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil {
			all = append(all, fmt.Sprintf("process %d: %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return all, err
}

func (n *node) leftMounts() ([]string, error) {
	info, err := os.ReadFile("/proc/" + n.pid() + "/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(info)) {
		all = append(all, "mount "+strings.Fields(line)[4])
	}
	return all, nil
}

func (n *node) leftCgroups() ([]string, error) {
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/" + n.cgroup)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, hierarchy := range hierarchies {
		err := filepath.WalkDir(hierarchy, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				all = append(all, "cgroup "+path)
			}
			return nil //nolint:nilerr // Removed meanwhile.
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// leftFiles returns what is in the directories that have an entry for each container or pod.
func (n *node) leftFiles() ([]string, error) {
	var all []string
	for _, pattern := range []string{
		"/run/containerd/runc/k8s.io/*", "/run/containerd/runc/k8s.io/.cache/*",
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*", "/run/containerd/s/*",
		"/run/containerd/io.containerd.grpc.v1.cri/*/*", "/run/netns/*", "/var/lib/cni/networks/pods/10.*",
		"/var/lib/kubelet/pods/*", "/run/containerd/fifo/*", "/tmp/runc-process*", "/tmp/pty*",
		"/sys/class/net/*",
	} {
		root := n.path("")
		paths, err := filepath.Glob(root + pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			all = append(all, "file "+strings.TrimPrefix(path, root))
		}
	}
	return all, nil
}

// kept are what stays by design: the cgroups of the classes of pods.
func kept(line string) bool {
	for _, suffix := range []string{"/kubepods", "/kubepods/burstable", "/kubepods/besteffort"} {
		if strings.Contains(line, "cgroup ") && strings.HasSuffix(line, suffix) {
			return true
		}
	}
	return false
}

// nothingLeft waits until all namespaces of the tests are gone, and the nodes are as before.
func (c *cluster) nothingLeft(t *testing.T, before []string) {
	if err := until(3*time.Minute, "the deletion of the namespaces", func() error {
		out, err := c.kubectl("", "get", "namespaces", "-o", "name")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			name := strings.TrimSpace(strings.TrimPrefix(line, "namespace/"))
			if name != "default" && !strings.HasPrefix(name, "kube-") {
				return errors.New(out)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// kubelet removes sandboxes that have ended when it next looks for them, up to a minute later.
	if err := until(2*time.Minute, "left on the nodes", func() error {
		var more []string
		for _, line := range c.left(t) {
			if _, found := slices.BinarySearch(before, line); !found && !kept(line) {
				more = append(more, line)
			}
		}
		if len(more) > 0 {
			return errors.New(strings.Join(more, "\n"))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
