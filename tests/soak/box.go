// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// box is a container, or the place for one.
type box struct{ id, dir string }

func (b *box) path(name string) string { return filepath.Join(b.dir, name) }

// variants are the kinds of containers, which are used in turn.
var variants = []func(*specs.Spec){
	func(*specs.Spec) {},
	func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		same := []specs.LinuxIDMapping{{Size: 65536}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = same, same
	},
	func(s *specs.Spec) {
		memory, pids, shares := int64(64<<20), int64(100), uint64(512)
		s.Linux.Resources = &specs.LinuxResources{
			Memory: &specs.LinuxMemory{Limit: &memory},
			Pids:   &specs.LinuxPids{Limit: &pids},
			CPU:    &specs.LinuxCPU{Shares: &shares},
		}
	},
	func(s *specs.Spec) {
		s.Root.Readonly = true
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
		}
	},
	func(s *specs.Spec) {
		hook := specs.Hook{Path: "/bin/true"}
		s.Hooks = &specs.Hooks{
			CreateRuntime: []specs.Hook{hook}, CreateContainer: []specs.Hook{hook},
			Poststart: []specs.Hook{hook}, Poststop: []specs.Hook{hook},
		}
	},
	func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro"}})
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
	},
}

// newBox creates the bundle of container number i. The bundle in its directory short has a
// program that ends at once.
func (s *soak) newBox(i int) (*box, error) {
	b := &box{id: fmt.Sprintf("%s-%d", s.token, i)}
	b.dir = filepath.Join(s.config.work, b.id)
	for _, name := range []string{"rootfs", "upper", "work", "short"} {
		if err := os.MkdirAll(b.path(name), 0o755); err != nil {
			return nil, err
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", s.rootfs, b.path("upper"), b.path("work"))
	if err := unix.Mount("overlay", b.path("rootfs"), "overlay", 0, opts); err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	spec := bundle.Spec()
	spec.Linux.CgroupsPath = "/" + s.token + "/" + b.id
	// It ends at SIGTERM, which the first process of a pid namespace ignores without a handler.
	spec.Process.Args = []string{"/bin/sh", "-c", `trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done`}
	variants[i%len(variants)](spec)
	if err := bundle.Write(b.dir, spec); err != nil {
		return nil, err
	}
	spec.Root.Path = b.path("rootfs")
	spec.Process.Args = []string{"/bin/true"}
	if err := bundle.Write(b.path("short"), spec); err != nil {
		return nil, err
	}
	const mounts = `{"mounts":[{"destination":"/mnt","type":"tmpfs","source":"tmpfs"},` +
		`{"destination":"/mnt/etc","type":"bind","source":"/etc","options":["bind","ro"]}]}`
	return b, os.WriteFile(b.path("mounts.json"), []byte(mounts), 0o644)
}
