// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
	"github.com/berth-run/berth/libcontainer/rootfs/target"
	"golang.org/x/sys/unix"
)

// mountFilesystem makes a mount of any type that is not a bind mount.
func (b *Builder) mountFilesystem(index int, m *configs.Mount) error {
	t, err := target.Open(b.root, b.id, m, true)
	if err != nil {
		return err
	}
	defer unix.Close(t.FD)
	given := b.callerTree(index)
	if given == nil && filesystem.NeedsOldCall(m) {
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
	if m.Flags&unix.MS_RDONLY != 0 && filesystem.StaysWritable(m) {
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
func (b *Builder) bindSysfs(m *configs.Mount, t *target.Target) error {
	tree, err := b.openHost("/sys", true)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return b.attach(tree, t.FD, func(fd int) error {
		if err := b.attacher.Set(fd, true, mountapi.AttrOf(m.Flags&hostFlags|unix.MS_RDONLY, 0)); err != nil {
			return err
		}
		return b.attacher.Adjust(m, fd, mountapi.Attr{})
	})
}

func (b *Builder) fillAndAttach(m *configs.Mount, tree int, t *target.Target) error {
	if m.CopyUp && t.Existed {
		// The new mount is not attached yet: nobody sees it half full.
		if err := filesystem.CopyUp(m, t.FD, tree, b.o.CopyUp); err != nil {
			return fmt.Errorf("tmpcopyup: %w", err)
		}
	}
	if m.Type == "mqueue" && b.c.MountLabel.Label != "" {
		// mqueue does not know the context option.
		if err := filesystem.Label(tree, b.c.MountLabel.Label); err != nil {
			return err
		}
	}
	return b.attachMount(m, tree, t, mountapi.Attr{})
}

// mountOldWay makes a mount with mount(2), on exactly the file that t refers to.
func (b *Builder) mountOldWay(m *configs.Mount, t *target.Target) error {
	mount := func(path string) error { return filesystem.OldCall(m, b.c.MountLabel, path) }
	if b.live != nil {
		tree, err := stageOldWay(mount)
		if err != nil {
			return err
		}
		return errors.Join(b.attachMount(m, tree, t, mountapi.Attr{}), unix.Close(tree))
	}
	if err := b.proc.WithPath(t.FD, mount); err != nil {
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
	return b.attacher.Adjust(m, fd, mountapi.Attr{})
}

// takeFilesystem takes over what filesystem.New has made, for t.
func takeFilesystem(given *os.File, m *configs.Mount, t *target.Target) (int, error) {
	tree, err := sysfile.Dup(int(given.Fd()))
	if err != nil {
		return -1, err
	}
	if !t.Existed || !filesystem.KeepsMode(m) {
		return tree, nil
	}
	err = filesystem.Chmod(tree, t.Mode&0o7777)
	if errors.Is(err, unix.EPERM) {
		return tree, nil // its id maps have changed its owner to one outside the user namespace
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(tree))
	}
	return tree, nil
}

// newFilesystem makes a detached mount of the type of m, for t.
func (b *Builder) newFilesystem(m *configs.Mount, t *target.Target) (int, error) {
	c, err := b.context(m)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	if t.Existed && filesystem.KeepsMode(m) {
		return filesystem.FromContext(c, m, b.c.MountLabel, fmt.Sprintf("mode=%o", t.Mode&0o7777))
	}
	return filesystem.FromContext(c, m, b.c.MountLabel)
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
	fd, err := sysfile.Dup(int(f.Fd()))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return mountapi.ContextFromFD(fd, m.Type), nil
}
