// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/program"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const capDACOverride = 1

// program looks for the program and the startContainer hooks in the root file system, as it will be
// with the mounts.
func (f *findings) program(cfg *configs.Config) {
	if len(cfg.Process.Args) == 0 || cfg.Rootfs.Path == "" {
		return
	}
	l, closeAll, err := look(cfg)
	if err != nil {
		f.warn("process.args[0]: cannot be looked for: %v", err)
		return
	}
	defer closeAll()
	if found, why := l.Find(cfg.Process.Args[0]); why != "" {
		at := fmt.Sprintf("%q", cfg.Process.Args[0])
		if found != "" && found != cfg.Process.Args[0] {
			at += " (" + found + ")"
		}
		f.explained(l, "process.args[0]: %s %s", at, why)
	}
	for i := range cfg.Hooks.StartContainer {
		h := &cfg.Hooks.StartContainer[i]
		if why := l.Explain(h.Path); why != "" {
			f.explained(l, "hooks.startContainer[%d].path: %q %s", i, h.Path, why)
		}
	}
}

// explained adds what a Look has found. If it was not allowed to look, the container may be.
func (f *findings) explained(l *program.Look, format string, args ...any) {
	if l.Denied {
		f.warn(format, args...)
		return
	}
	f.fail(format, args...)
}

// look opens the root file system and the sources of mounts.
func look(cfg *configs.Config) (l *program.Look, closeAll func(), err error) {
	var open []int
	closeAll = func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}
	root := cfg.Rootfs.Path
	if m := cfg.RootMount(); m != nil {
		if !m.IsBind() {
			return nil, nil, fmt.Errorf("%s is the root file system, and its content is not known", m.Field)
		}
		root = m.Source
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", root, err)
	}
	open = append(open, fd)
	p := &cfg.Process
	l = &program.Look{Root: fd, Dir: p.Cwd, SearchPath: program.DefaultPath, User: user(cfg)}
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			l.SearchPath = v
		}
	}
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if m.Destination == "/" {
			continue
		}
		at := program.Mount{Destination: l.Resolve(m.Destination), Tree: -1, Noexec: m.Flags&unix.MS_NOEXEC != 0 || m.RecAttrSet&unix.MOUNT_ATTR_NOEXEC != 0}
		if m.Flags&unix.MS_REMOUNT != 0 {
			for j := range l.Mounts {
				if l.Mounts[j].Destination == at.Destination {
					l.Mounts[j].Noexec = at.Noexec
				}
			}
			continue
		}
		if m.IsBind() {
			if fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
				open = append(open, fd)
				at.Tree = fd
			}
		}
		l.Mounts = append(l.Mounts, at)
	}
	return l, closeAll, nil
}

// user returns whose rights the program is executed with, in ids of the host. With id-mapped mounts
// the ids in the files are others: then nobody can tell.
func user(cfg *configs.Config) *program.User {
	p := &cfg.Process
	u := &program.User{UID: p.UID, GID: p.GID, Groups: p.AdditionalGIDs, Override: p.Capabilities.Effective&(1<<capDACOverride) != 0}
	if ns, ok := cfg.Namespaces.Get(configs.NewUser); ok {
		if ns.Path != "" || p.KeepGroups {
			return nil
		}
		u.UID, _ = configs.HostID(cfg.UIDMappings, p.UID)
		u.GID, _ = configs.HostID(cfg.GIDMappings, p.GID)
		u.Groups = nil
		for _, g := range p.AdditionalGIDs {
			id, _ := configs.HostID(cfg.GIDMappings, g)
			u.Groups = append(u.Groups, id)
		}
	}
	for i := range cfg.Mounts {
		if cfg.Mounts[i].IDMap != "" {
			return nil
		}
	}
	return u
}

// hooks looks for the programs of the hooks that the runtime runs with the host's files.
func (f *findings) hooks(cfg *configs.Config) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for _, kind := range hostHooks(&cfg.Hooks) {
		for i := range kind.list {
			l := &program.Look{Root: fd}
			why := strings.ReplaceAll(l.Explain(kind.list[i].Path), "in the container", "on this host")
			if why != "" {
				f.explained(l, "hooks.%s[%d].path: %q %s", kind.name, i, kind.list[i].Path, why)
			}
		}
	}
}

// hookList is one of the lists of hooks.
type hookList struct {
	name string
	list []specs.Hook
}

func hostHooks(h *specs.Hooks) []hookList {
	return []hookList{
		{"prestart", h.Prestart},
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	}
}
