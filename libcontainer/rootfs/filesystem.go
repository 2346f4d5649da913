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

// mountFilesystem makes a mount of any type that is not a bind mount.
func (b *Builder) mountFilesystem(index int, m *configs.Mount) error {
	t, err := b.openTarget(m, true)
	if err != nil {
		return err
	}
	defer unix.Close(t.fd)
	given := b.callerTree(index)
	if given == nil && needsOldCall(m) {
		return b.mountOldWay(m, t)
	}
	var tree int
	if given != nil {
		tree, err = takeFilesystem(given, m, t)
	} else {
		tree, err = b.newFilesystem(m, t)
	}
	if m.Type == "proc" && err == nil {
		err = checkProcfs(tree)
	}
	if m.Type == "sysfs" && errors.Is(err, unix.EPERM) {
		return b.bindSysfs(m, t)
	}
	if err != nil {
		return err
	}
	if err := b.fillAndAttach(m, tree, t); err != nil {
		return errors.Join(err, unix.Close(tree))
	}
	if m.Flags&unix.MS_RDONLY != 0 && staysWritable(m) {
		b.late = append(b.late, lateReadonly{fd: tree, field: m.Field})
		return nil
	}
	if m.Type == "proc" && b.inner == nil {
		// Kept for the sysctls. One mounted with subset=pid does not have them, which shows
		// when it is used.
		b.inner, err = procfs.FromFD(tree)
		return err
	}
	return unix.Close(tree)
}

// checkProcfs closes tree unless it is a procfs. Its context may have come from a process that
// others in its pid namespace could trace (nsenter.OpenProcContexts).
func checkProcfs(tree int) error {
	is, err := procfs.Is(tree)
	if err == nil && !is {
		err = errors.New("not a procfs")
	}
	if err != nil {
		return errors.Join(err, unix.Close(tree))
	}
	return nil
}

// hostFlags are the flags that can be set on a clone of the host's mounts: the others are
// locked for a user namespace.
const hostFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// bindSysfs binds the host's /sys in place of a sysfs that the kernel refuses. A sysfs shows a
// network namespace, and only root in the owning user namespace may mount a new one. A
// container with a user namespace that shares somebody else's network may not, and neither may
// an unprivileged user for it.
//
// What is mounted below it is cloned as well, since the kernel does not let a user namespace
// uncover it. So the options apply to all of it. It is read-only in any case: the host's
// cgroups are below it, and the container could change those that the user owns
// (CVE-2023-25809).
func (b *Builder) bindSysfs(m *configs.Mount, t *target) error {
	tree, err := mountapi.OpenTree("/sys", true)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return b.attach(tree, t.fd, func(fd int) error {
		if err := b.setAttr(fd, true, mountapi.AttrOf(m.Flags&hostFlags|unix.MS_RDONLY, 0)); err != nil {
			return err
		}
		return b.adjust(m, fd, mountapi.Attr{})
	})
}

// staysWritable reports whether a read-only mount becomes read-only only at the end, because
// mount points of later mounts, or devices, are created in it.
func staysWritable(m *configs.Mount) bool {
	return m.Type == "tmpfs" || m.Destination == "/dev"
}

func (b *Builder) fillAndAttach(m *configs.Mount, tree int, t *target) error {
	if m.CopyUp && t.existed {
		// The new mount is not attached yet: nobody sees it half full.
		if err := b.copyUp(t.fd, tree, setsOwner(m.Data)); err != nil {
			return fmt.Errorf("tmpcopyup: %w", err)
		}
	}
	if m.Type == "mqueue" && b.c.MountLabel != "" {
		// mqueue does not know the context option.
		if err := b.labelRoot(tree); err != nil {
			return err
		}
	}
	return b.attachMount(m, tree, t, mountapi.Attr{})
}

// needsOldCall reports whether only mount(2) can express m: fsconfig(2) limits a value to 255
// bytes, which the directories of an overlay may well exceed, and has no name for MS_I_VERSION.
func needsOldCall(m *configs.Mount) bool {
	if m.Type == "proc" {
		return false // mount(2) would use the builder's pid namespace
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

// oldCallFlags are the flags that mount(2) accepts for a new mount.
const oldCallFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS |
	unix.MS_MANDLOCK | unix.MS_DIRSYNC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME |
	unix.MS_STRICTATIME | unix.MS_LAZYTIME | unix.MS_I_VERSION | unix.MS_SILENT | unix.MS_NOSYMFOLLOW

// oldCall makes a mount with mount(2).
func (b *Builder) oldCall(m *configs.Mount, path string) error {
	data := m.Data
	if b.c.MountLabel != "" && takesContext(m.Type) {
		data = append(data[:len(data):len(data)], labelOption(m)+`="`+b.c.MountLabel+`"`)
	}
	source := m.Source
	if source == "" {
		source = "none" // as with the new calls
	}
	err := unix.Mount(source, path, m.Type, m.Flags&oldCallFlags, strings.Join(data, ","))
	return os.NewSyscallError("mount", err)
}

// mountOldWay makes a mount with mount(2), on exactly the file that t refers to.
func (b *Builder) mountOldWay(m *configs.Mount, t *target) error {
	mount := func(path string) error { return b.oldCall(m, path) }
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
	// From t, only the path leads to the mount that is now on it.
	fd, err := b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	id, err := mountapi.Identify(fd)
	if err != nil {
		return err
	}
	if id.Mount == t.Mount {
		return errors.New("the destination was moved away")
	}
	return b.adjust(m, fd, mountapi.Attr{})
}
