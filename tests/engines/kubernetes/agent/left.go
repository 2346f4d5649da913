// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A kind is one of what containers could leave on a node.
type kind struct {
	name string
	look func() ([]string, error)
}

var kinds = []kind{
	{"processes", processes},
	{"mounts", mounts},
	{"cgroups", cgroups},
	{"files", files},
}

// left prints what there is of these kinds (default: all), a line each.
func left(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			return fmt.Errorf("unknown kind %q", name)
		}
	}
	for _, kind := range kinds {
		if len(names) > 0 && !slices.Contains(names, kind.name) {
			continue
		}
		lines, err := kind.look()
		if err != nil {
			return err
		}
		for _, line := range lines {
			fmt.Println(line)
		}
	}
	return nil
}

// daemons are those of a node, by the names of their processes. The script ./node is one.
var daemons = []string{"containerd", "kubelet", "kube-proxy", "node"}

// processes returns those of the node that are no daemons of it: containers, and their shims.
func processes() ([]string, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	above := ancestors()
	var all []string
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || slices.Contains(above, pid) {
			continue
		}
		// A process that has ended meanwhile has none of these files.
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if ofNode(list, own) && !slices.Contains(daemons, strings.TrimSpace(string(name))) {
			all = append(all, fmt.Sprintf("process %d: %s", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return all, nil
}

// ofNode reports whether the cgroups in that text of procfs are the node's.
func ofNode(list []byte, own string) bool {
	found := false
	for line := range strings.Lines(string(list)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || strings.HasPrefix(fields[2], "/..") {
			return false
		}
		found = found || belongs(fields[2], own)
	}
	return found
}

// belongs reports whether a cgroup is the one with the daemons, below it, or of pods.
func belongs(path, own string) bool {
	return path == own || strings.HasPrefix(path, strings.TrimSuffix(own, "/")+"/") || strings.Contains(path, "/kubepods")
}

// ownCgroup returns the cgroup of this process, where the daemons are, too: in a node of
// namespaces it is the root.
func ownCgroup() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return path, nil
		}
	}
	return "", errors.New("no cgroup v2 in /proc/self/cgroup")
}

// ancestors returns this process, and those above it.
func ancestors() []int {
	var all []int
	for pid := os.Getpid(); pid > 0; {
		all = append(all, pid)
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		// The name may have spaces and brackets.
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if pid, err = strconv.Atoi(string(fields[1])); err != nil {
			break
		}
	}
	return all
}

func mounts() ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(info)) {
		all = append(all, "mount "+strings.Fields(line)[4])
	}
	return all, nil
}

func cgroups() ([]string, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	const root = "/sys/fs/cgroup"
	var all []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && belongs(strings.TrimPrefix(path, root), own) {
			all = append(all, "cgroup "+path)
		}
		return nil //nolint:nilerr // Removed meanwhile.
	})
	return all, err
}

// files returns what is in the directories that have an entry for each container or pod.
func files() ([]string, error) {
	var all []string
	for _, pattern := range []string{
		"/run/containerd/runc/k8s.io/*", "/run/containerd/runc/k8s.io/.cache/*",
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*", sockets,
		"/run/containerd/io.containerd.grpc.v1.cri/*/*", "/run/netns/*", "/var/lib/cni/networks/pods/10.*",
		"/var/lib/kubelet/pods/*", "/run/containerd/fifo/*", "/tmp/runc-process*", "/tmp/pty*",
		"/sys/class/net/*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			all = append(all, "file "+path)
		}
	}
	return all, nil
}

// sockets are those of the shims.
const sockets = "/run/containerd/s/*"

// tidy removes those that nobody listens on: a shim that is killed leaves one, with every
// runtime.
func tidy() error {
	paths, err := filepath.Glob(sockets)
	if err != nil {
		return err
	}
	for _, path := range paths {
		conn, err := net.Dial("unix", path) //nolint:noctx // It does not wait.
		if err == nil {
			conn.Close()
			continue
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
