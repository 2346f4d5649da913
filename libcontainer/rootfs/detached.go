// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// NewFilesystem makes a detached mount as described by m, which is neither a bind mount nor of
// type proc or cgroup. It is for Options.Trees, and uses rights that the builder will not have.
// It is made in the namespaces of the calling thread.
func NewFilesystem(m *configs.Mount, label string) (*os.File, error) {
	if needsOldCall(m) {
		return nil, fmt.Errorf("an option of more than %d bytes, or iversion: %w", mountapi.MaxOption, unix.EOPNOTSUPP)
	}
	c, err := mountapi.NewContext(m.Type)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	fd, err := detached(c, m, m.Data, label)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), m.Type), nil
}

// takeFilesystem takes over what NewFilesystem has made, for t.
func takeFilesystem(given *os.File, m *configs.Mount, t *target) (int, error) {
	tree, err := unix.FcntlInt(given.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if !keepsMode(m, t) {
		return tree, nil
	}
	err = chmodRoot(tree, t.Mode&0o7777)
	if errors.Is(err, unix.EPERM) {
		return tree, nil // its id maps have changed its owner to one outside the user namespace
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(tree))
	}
	return tree, nil
}

// keepsMode reports whether a mount takes its mode from the directory that it covers.
func keepsMode(m *configs.Mount, t *target) bool {
	return m.Type == "tmpfs" && t.existed && !hasOption(m.Data, "mode")
}

// chmodRoot sets the mode of the root directory of a mount.
func chmodRoot(tree int, mode uint32) error {
	fd, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	err = unix.Fchmod(fd, mode)
	return errors.Join(os.NewSyscallError("fchmod", err), unix.Close(fd))
}

// newFilesystem makes a detached mount of the type of m, for t.
func (b *Builder) newFilesystem(m *configs.Mount, t *target) (int, error) {
	c, err := b.context(m)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	options := m.Data
	if keepsMode(m, t) {
		options = append(options[:len(options):len(options)], fmt.Sprintf("mode=%o", t.Mode&0o7777))
	}
	return detached(c, m, options, b.c.MountLabel)
}

// detached makes the mount of a context.
func detached(c *mountapi.Context, m *configs.Mount, options []string, label string) (int, error) {
	flags := m.Flags
	if staysWritable(m) {
		flags &^= unix.MS_RDONLY
	}
	if m.Source != "" {
		if err := c.SetString("source", m.Source); err != nil {
			return -1, err
		}
	}
	super := flags
	if isPseudo(m.Type) {
		// Their superblocks are shared: if one were read-only, it would be so for the next
		// mount as well. The flag of the mount itself is enough.
		super &^= unix.MS_RDONLY
	}
	if err := setSuperFlags(c, super, 0); err != nil {
		return -1, err
	}
	for _, o := range options {
		if err := c.SetOption(o); err != nil {
			return -1, err
		}
	}
	if label != "" && takesContext(m.Type) {
		if err := c.SetString(labelOption(m), label); err != nil {
			return -1, err
		}
	}
	if err := c.Create(); err != nil {
		return -1, err
	}
	return c.Mount(mountapi.AttrOf(flags, 0).Set)
}

// context opens a context for the type of m. A procfs belongs to the pid namespace of the
// process that opened its context. That is why init opened it.
func (b *Builder) context(m *configs.Mount) (*mountapi.Context, error) {
	if m.Type != "proc" {
		return mountapi.NewContext(m.Type)
	}
	if len(b.procContexts) == 0 {
		return nil, errors.New("no procfs context of the container is left")
	}
	f := b.procContexts[0]
	b.procContexts = b.procContexts[1:]
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return mountapi.ContextFromFD(fd, m.Type), nil
}

// superFlags are the MS_* that belong to the superblock, with the names by which fsconfig(2)
// sets and clears them. MS_SILENT is left out: it is about the kernel's log.
var superFlags = [...]struct {
	ms         uintptr
	set, clear string
}{
	{unix.MS_RDONLY, "ro", "rw"},
	{unix.MS_SYNCHRONOUS, "sync", "async"},
	{unix.MS_DIRSYNC, "dirsync", ""},
	{unix.MS_LAZYTIME, "lazytime", "nolazytime"},
	{unix.MS_MANDLOCK, "mand", "nomand"},
}

func setSuperFlags(c *mountapi.Context, set, cleared uintptr) error {
	for _, f := range superFlags {
		name := ""
		switch {
		case set&f.ms != 0:
			name = f.set
		case cleared&f.ms != 0:
			name = f.clear
		}
		if name == "" {
			continue
		}
		if err := c.SetFlag(name); err != nil {
			return err
		}
	}
	return nil
}

// isPseudo reports whether a file system has no device that would have to be opened read-only.
func isPseudo(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}

// takesContext reports whether the SELinux option context= can label a file system.
func takesContext(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2":
		return false
	}
	return true
}

// labelOption returns the name of the option that gives m its SELinux label.
func labelOption(m *configs.Mount) string {
	if m.LabelOption == "" {
		return "context"
	}
	return m.LabelOption
}

// labelRoot sets the SELinux label of the root directory of a mount.
func (b *Builder) labelRoot(tree int) error {
	fd, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	err = unix.Fsetxattr(fd, "security.selinux", []byte(b.c.MountLabel), 0)
	return errors.Join(os.NewSyscallError("fsetxattr", err), unix.Close(fd))
}

func hasOption(data []string, key string) bool {
	for _, o := range data {
		if k, _, _ := strings.Cut(o, "="); k == key {
			return true
		}
	}
	return false
}

func setsOwner(data []string) bool { return hasOption(data, "uid") || hasOption(data, "gid") }
