// SPDX-License-Identifier: Apache-2.0

// Package preview says what a create would do and what would be in its way, without doing it. It
// reads the plan that a create carries out, and asks the packages that would carry it out: which
// cgroup, which files in it, how long the filter. It changes nothing.
package preview

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
)

// Finding is what would be in the way of a create or of the program.
type Finding struct {
	// Warning is set if the create would go on.
	Warning bool
	// Text begins with the field, as create's errors do.
	Text string
}

// findings collects them.
type findings []Finding

func (f *findings) fail(format string, args ...any) {
	*f = append(*f, Finding{Text: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(format string, args ...any) {
	*f = append(*f, Finding{Warning: true, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) add(err error) {
	if err != nil {
		f.fail("%s", err.Error())
	}
}

// Findings looks at what the plan needs of this host and of the root file system.
func Findings(cfg *configs.Config, id string) []Finding {
	var f findings
	labels := cfg.Process
	f.add(attr.CheckLabels(&labels))
	f.seccomp(cfg)
	f.namespaces(cfg)
	f.sources(cfg)
	f.hooks(cfg)
	f.cgroup(cfg, id)
	f.program(cfg)
	return f
}

// seccomp compiles the profile.
func (f *findings) seccomp(cfg *configs.Config) {
	if cfg.Seccomp == nil {
		return
	}
	errs := seccomp.Errors(cfg.Seccomp)
	for _, err := range errs {
		f.add(err)
	}
	if len(errs) > 0 {
		return
	}
	p, err := seccomp.Compile(cfg.Seccomp)
	if err != nil || p == nil {
		return
	}
	switch {
	case len(p.Unknown) > 0 && cfg.SeccompKnownOnly:
		f.fail("linux.seccomp.syscalls: unknown system calls: %q", p.Unknown)
	case len(p.Unenforced) > 0:
		f.warn("linux.seccomp.syscalls: unknown system calls, which are not restricted: %q", p.Unenforced)
	}
	if l := cfg.Seccomp.ListenerPath; l != "" && p.NewListener() && missing(l) {
		f.warn("linux.seccomp.listenerPath: there is no %q yet: the agent must listen before the create", l)
	}
}

// namespaces opens those that are joined.
func (f *findings) namespaces(cfg *configs.Config) {
	for _, ns := range cfg.Namespaces {
		if ns.Path == "" {
			continue
		}
		if err := mayBeNamespace(ns); err != nil {
			f.add(err)
			continue
		}
		joins, err := create.OpenNamespaces(configs.Namespaces{ns})
		f.add(err)
		for _, j := range joins {
			_ = j.FD.Close()
		}
	}
	if userns.Unprivileged() && !cfg.Namespaces.Contains(configs.NewUser) {
		f.fail("linux.namespaces: rootless container requires user namespaces")
	}
}

// mayBeNamespace refuses a path whose file must not be opened by somebody who only looks: a FIFO would
// block, and a device might do something.
func mayBeNamespace(ns configs.Namespace) error {
	fd, err := unix.Open(ns.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil //nolint:nilerr // OpenNamespaces says it as create does
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.NSFS_MAGIC {
		return fmt.Errorf("%s: %q is not a %s namespace", ns.Field, ns.Path, ns.Type)
	}
	return nil
}

// sources looks for the sources of bind mounts. One in the root file system may come from another
// mount, and what a hook makes is not there yet.
func (f *findings) sources(cfg *configs.Config) {
	root := strings.TrimSuffix(cfg.Rootfs.Path, "/") + "/"
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if !m.IsBind() || m.Source == "" || m.Flags&unix.MS_REMOUNT != 0 || strings.HasPrefix(m.Source+"/", root) {
			continue
		}
		var st unix.Stat_t
		err := unix.Lstat(m.Source, &st)
		if err == nil && !m.CopySymlink && !m.SourceNoFollow {
			err = unix.Stat(m.Source, &st)
		}
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			f.fail("%s.source: there is no %q on this host", m.Field, m.Source)
		case err != nil:
			f.warn("%s.source: stat %s: %v", m.Field, m.Source, err)
		}
	}
}

// cgroup finds out the cgroup, and what would be written to it.
func (f *findings) cgroup(cfg *configs.Config, id string) {
	m, err := cgroups.New(&cfg.Cgroup, id)
	if err != nil {
		f.add(err)
		return
	}
	for _, err := range m.Draft(cfg.Cgroup.Resources).Errs {
		if cfg.Cgroup.Disabled {
			err = fmt.Errorf("%w (--cgroup-manager disabled)", err)
		}
		f.add(err)
	}
	for _, dir := range m.Paths() {
		if !missing(dir) && cfg.Cgroup.Path != "" {
			f.warn("linux.cgroupsPath: there is a cgroup %s already", dir)
			break
		}
	}
}

func missing(name string) bool {
	var st unix.Stat_t
	return errors.Is(unix.Lstat(path.Clean(name), &st), unix.ENOENT)
}
