// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

// mountFilesystem makes a mount that is not a bind mount, of whatever type.
func (b *Builder) mountFilesystem(m *configs.Mount) error {
	t, err := b.openTarget(m, true)
	if err != nil {
		return err
	}
	defer unix.Close(t.fd)
	if needsOldCall(m) {
		return b.mountOldWay(m, t)
	}
	late := m.Flags&unix.MS_RDONLY != 0 && staysWritable(m)
	flags := m.Flags
	if late {
		flags &^= unix.MS_RDONLY
	}
	tree, err := b.newFilesystem(m, flags, t)
	if m.Type == "sysfs" && errors.Is(err, unix.EPERM) {
		return b.bindSysfs(m, t)
	}
	if err != nil {
		return err
	}
	if err := b.fillAndAttach(m, tree, t); err != nil {
		return errors.Join(err, unix.Close(tree))
	}
	if late {
		b.late = append(b.late, lateReadonly{fd: tree, field: m.Field})
		return nil
	}
	if m.Type == "proc" && b.inner == nil {
		// Kept for the sysctls. One mounted with subset=pid has none, and is
		// noticed when it is used.
		b.inner, err = procfs.FromFD(tree)
		return err
	}
	return unix.Close(tree)
}

// hostFlags are what can be set on a clone of the host's mounts: its other flags are
// locked for a user namespace.
const hostFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// bindSysfs binds the host's /sys in place of a sysfs that the kernel refuses. It shows
// the network namespace, and only the root of that may mount a new one: a container
// with a user namespace and the network of somebody else may not.
//
// What is mounted on it comes along, since the kernel does not let a user namespace
// uncover it; so the options are for all of it.
func (b *Builder) bindSysfs(m *configs.Mount, t *target) error {
	tree, err := mountapi.OpenTree("/sys", true)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return b.attach(tree, t.fd, func(fd int) error {
		if err := b.setAttr(fd, true, mountapi.AttrOf(m.Flags&hostFlags, 0)); err != nil {
			return err
		}
		return b.adjust(m, fd, mountapi.Attr{})
	})
}

// staysWritable says that a read-only mount becomes so only at the end, because
// mount points of later mounts, or devices, are made in it.
func staysWritable(m *configs.Mount) bool {
	return m.Type == "tmpfs" || m.Destination == "/dev"
}

func (b *Builder) fillAndAttach(m *configs.Mount, tree int, t *target) error {
	if m.CopyUp && t.existed {
		// The new mount is nowhere yet: nobody sees it half full.
		if err := copyUp(t.fd, tree, ownerGiven(m.Data)); err != nil {
			return fmt.Errorf("tmpcopyup: %w", err)
		}
	}
	if m.Type == "mqueue" && b.c.MountLabel != "" {
		// It does not know the context option.
		if err := b.labelRoot(tree); err != nil {
			return err
		}
	}
	return b.attachMount(m, tree, t, mountapi.Attr{})
}

// newFilesystem makes a detached mount of the type of m.
func (b *Builder) newFilesystem(m *configs.Mount, flags uintptr, t *target) (int, error) {
	c, err := b.context(m)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	if m.Source != "" {
		if err := c.SetString("source", m.Source); err != nil {
			return -1, err
		}
	}
	super := flags
	if isPseudo(m.Type) {
		// Their superblocks are shared: a read-only one would be so for the
		// next mount as well. The mount's own flag does.
		super &^= unix.MS_RDONLY
	}
	if err := setSuperFlags(c, super, 0); err != nil {
		return -1, err
	}
	if m.Type == "tmpfs" && t.existed && !hasOption(m.Data, "mode") {
		if err := c.SetString("mode", fmt.Sprintf("%o", t.mode&0o7777)); err != nil {
			return -1, err
		}
	}
	for _, o := range m.Data {
		if err := c.SetOption(o); err != nil {
			return -1, err
		}
	}
	if b.c.MountLabel != "" && takesContext(m.Type) {
		if err := c.SetString("context", b.c.MountLabel); err != nil {
			return -1, err
		}
	}
	if err := c.Create(); err != nil {
		return -1, err
	}
	return c.Mount(mountapi.AttrOf(flags, 0).Set)
}

// context opens a context of the type of m. A procfs belongs to the pid namespace
// of whoever opened its context, which is why init did that.
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

// superFlags are the MS_* that belong to the superblock, with fsconfig(2)'s names
// to set and to clear them. MS_SILENT is left out: it is about the kernel's log.
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

// isPseudo says that a file system has no device that would have to be opened
// read-only.
func isPseudo(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}

// takesContext says that a file system can be labelled by the SELinux option
// context=.
func takesContext(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2":
		return false
	}
	return true
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

func ownerGiven(data []string) bool { return hasOption(data, "uid") || hasOption(data, "gid") }

// needsOldCall says that only mount(2) can express m: fsconfig(2) limits a value
// to 255 bytes, which the directories of an overlay may well exceed, and has no
// name for MS_I_VERSION.
func needsOldCall(m *configs.Mount) bool {
	if m.Type == "proc" {
		return false // mount(2) would take the builder's pid namespace
	}
	if m.Flags&unix.MS_I_VERSION != 0 || len(m.Source) > mountapi.MaxOption {
		return true
	}
	for _, o := range m.Data {
		if _, value, _ := strings.Cut(o, "="); len(value) > mountapi.MaxOption {
			return true
		}
	}
	return false
}

// oldCallFlags are what mount(2) takes as flags of a new mount.
const oldCallFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS |
	unix.MS_MANDLOCK | unix.MS_DIRSYNC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME |
	unix.MS_STRICTATIME | unix.MS_LAZYTIME | unix.MS_I_VERSION | unix.MS_SILENT | unix.MS_NOSYMFOLLOW

// mountOldWay makes a mount by mount(2), on the very file that t is.
func (b *Builder) mountOldWay(m *configs.Mount, t *target) error {
	data := m.Data
	if b.c.MountLabel != "" && takesContext(m.Type) {
		data = append(data[:len(data):len(data)], `context="`+b.c.MountLabel+`"`)
	}
	source := m.Source
	if source == "" {
		source = "none" // as the new calls have it
	}
	mount := func(path string) error {
		err := unix.Mount(source, path, m.Type, m.Flags&oldCallFlags, strings.Join(data, ","))
		return os.NewSyscallError("mount", err)
	}
	if b.live != nil {
		tree, err := stageOldWay(mount)
		if err != nil {
			return err
		}
		return errors.Join(b.attachMount(m, tree, t, mountapi.Attr{}), unix.Close(tree))
	}
	if err := b.proc.WithPath(t.fd, mount); err != nil {
		return err
	}
	if len(m.Propagation) == 0 && m.RecAttrSet|m.RecAttrClear == 0 {
		return nil
	}
	// There is no way from t to the mount that is now on it but the path.
	fd, err := b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	id, err := identify(fd)
	if err != nil {
		return err
	}
	if id.mount == t.mount {
		return errors.New("the destination was moved away")
	}
	return b.adjust(m, fd, mountapi.Attr{})
}
