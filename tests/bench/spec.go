// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// The containers that are measured.
const (
	plain  = "plain"  // mounts, masks and namespaces that engines ask for; no seccomp, no limits
	docker = "docker" // what Docker asks for: seccomp profile, limits, 20 mounts
	pod    = "pod"    // what Kubernetes asks for: in the namespaces of a pod
)

// spec is a container's.
func (rt *runtimeUnderTest) spec(kind, id string, args ...string) (*specs.Spec, error) {
	s := bundle.Spec()
	s.Root.Path, s.Root.Readonly = rt.rootfs, true
	s.Process.Args = args
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
	})
	s.Linux.MaskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/sys/firmware", "/proc/scsi",
	}
	s.Linux.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	s.Linux.CgroupsPath = cgroupParent + "/" + id
	if kind == plain {
		return s, nil
	}
	profile, err := readProfile(rt.profile)
	if err != nil {
		return nil, err
	}
	s.Linux.Seccomp = profile
	s.Linux.Resources = resources()
	s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc/interrupts", "/sys/devices/virtual/powercap")
	if kind == docker {
		// With the seven above, 20.
		return s, rt.bind(s, 13)
	}
	score := 1000
	s.Process.OOMScoreAdj = &score
	if err := rt.join(s); err != nil {
		return nil, err
	}
	// Of a kubelet: hosts, hostname, resolv.conf, termination-log, the service account and a volume.
	return s, rt.bind(s, 6)
}

// readProfile reads a seccomp profile for this architecture.
func readProfile(file string) (*specs.LinuxSeccomp, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p specs.LinuxSeccomp
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if runtime.GOARCH != "amd64" {
		p.Architectures = nil
	}
	return &p, nil
}

// haveLimits tells whether cgroups have the controllers that resources uses.
func haveLimits() bool {
	if !unified() {
		return true
	}
	data, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	have := strings.Fields(string(data))
	return err == nil && !slices.ContainsFunc([]string{"cpu", "memory", "pids"}, func(name string) bool { return !slices.Contains(have, name) })
}

// resources are the limits that people set, and the rules for devices that engines do, which
// is all that there is without controllers.
func resources() *specs.LinuxResources {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	for _, d := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, -1}} {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &d[0], Access: "rwm"}
		if d[1] >= 0 {
			rule.Minor = &d[1]
		}
		r.Devices = append(r.Devices, rule)
	}
	if haveLimits() {
		memory, pids, shares, quota, period := int64(256<<20), int64(512), uint64(512), int64(50000), uint64(100000)
		r.Memory = &specs.LinuxMemory{Limit: &memory, Swap: &memory}
		r.Pids = &specs.LinuxPids{Limit: &pids}
		r.CPU = &specs.LinuxCPU{Shares: &shares, Quota: &quota, Period: &period}
	}
	return r
}

// bind adds bind mounts of files and directories of the host, as engines have them.
func (rt *runtimeUnderTest) bind(s *specs.Spec, n int) error {
	dir := filepath.Join(rt.work, "binds")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// On directories of the root file system, which is read-only: on a tmpfs.
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev"}})
	for i := range n - 1 {
		source := filepath.Join(dir, fmt.Sprint(i))
		if i%2 == 0 {
			if err := os.WriteFile(source, []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
				return err
			}
		} else if err := os.MkdirAll(source, 0o755); err != nil {
			return err
		}
		options := []string{"rbind", "rprivate"}
		if i%3 == 0 {
			options = append(options, "ro")
		}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/tmp/bind%d", i), Type: "bind", Source: source, Options: options})
	}
	return nil
}

// join puts a container into the network, ipc and uts namespaces of the plain one that lives,
// which stands for the pod's first container.
func (rt *runtimeUnderTest) join(s *specs.Spec) error {
	first, err := rt.begin(plain)
	if err != nil {
		return err
	}
	files := map[specs.LinuxNamespaceType]string{specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts"}
	for i, ns := range s.Linux.Namespaces {
		if file := files[ns.Type]; file != "" {
			s.Linux.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/%s", first.pid, file)
		}
	}
	s.Hostname = ""
	return nil
}
