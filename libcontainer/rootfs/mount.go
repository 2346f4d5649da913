// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
	"github.com/berth-run/berth/libcontainer/rootfs/target"
	"golang.org/x/sys/unix"
)

// mount makes one mount of the plan, the one with the given index.
func (b *Builder) mount(index int, m *configs.Mount) error {
	switch {
	case m.Flags&unix.MS_REMOUNT != 0:
		return b.remount(m)
	case m.Destination == "/":
		return b.mountOntoRoot(index, m)
	case m.IsBind():
		return b.mountBind(index, m)
	case m.Type == "cgroup":
		return b.mountCgroup(m)
	default:
		return b.mountFilesystem(index, m)
	}
}

// attachMount puts the new mount tree on t with the propagation and recursive attributes of m.
// a holds the other changes.
func (b *Builder) attachMount(m *configs.Mount, tree int, t *target.Target, a mountapi.Attr) error {
	return b.attach(tree, t.FD, func(fd int) error { return b.attacher.Adjust(m, fd, a) })
}

// mountBind binds a file or directory of the host.
func (b *Builder) mountBind(index int, m *configs.Mount) error {
	if m.CopySymlink {
		if copied, err := b.copyLink(m); copied || err != nil {
			return err
		}
	}
	// The source first: the destination may hide it.
	tree, err := b.bindSource(index, m)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	dir, err := isDirectory(tree)
	if err != nil {
		return err
	}
	t, err := target.OpenBind(b.root, b.id, m, tree, dir)
	if err != nil {
		return err
	}
	defer unix.Close(t.FD)
	return b.attach(tree, t.FD, func(fd int) error {
		if mountapi.NamesFlags(m.Flags, m.Cleared) {
			if err := b.attacher.ReplaceFlags(m, fd); err != nil {
				return err
			}
		}
		return b.attacher.Adjust(m, fd, mountapi.Attr{})
	})
}

// isDirectory reports whether fd refers to a directory. FUSE does not let other users stat a
// file unless the owner of the mount has allowed it (fuse(4), allow_other): the root of a user
// namespace cannot even stat it, but may mount it.
func isDirectory(fd int) (bool, error) {
	id, err := mountapi.Identify(fd)
	if !errors.Is(err, unix.EACCES) {
		return id.IsDir(), err
	}
	// The kernel checks permissions only after it has found that there is a directory.
	dir, err := unix.Openat(fd, ".", unix.O_PATH|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return true, unix.Close(dir)
	case errors.Is(err, unix.EACCES):
		return true, nil
	case errors.Is(err, unix.ENOTDIR):
		return false, nil
	}
	return false, os.NewSyscallError("openat", err)
}

// OpenSource opens what m binds, as the calling thread sees it.
func OpenSource(m *configs.Mount) (int, error) {
	if m.SourceNoFollow {
		return mountapi.OpenTreeNoFollow(m.Source, m.Flags&unix.MS_REC != 0)
	}
	return mountapi.OpenTree(m.Source, m.Flags&unix.MS_REC != 0)
}

// copyLink makes a copy of the symbolic link that is the source of m. It returns false if the
// source is not a link, and is to be bound.
func (b *Builder) copyLink(m *configs.Mount) (bool, error) {
	link := m.SourceLink
	if link == "" {
		var err error
		if link, err = os.Readlink(m.Source); errors.Is(err, unix.EINVAL) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	dir, name, err := b.root.Parent(m.Destination)
	if err != nil {
		return false, err
	}
	defer unix.Close(dir)
	return true, b.root.Symlink(link, dir, path.Dir(m.Destination), name)
}

// bindSource returns what a bind mount binds, as a detached tree.
func (b *Builder) bindSource(index int, m *configs.Mount) (int, error) {
	given := b.callerTree(index)
	if given == nil && slices.Contains(b.o.InOrder, index) {
		tree, err := b.o.OpenSource(index)
		if err != nil {
			return -1, err
		}
		defer tree.Close()
		given = tree
	}
	if given == nil {
		if m.IDMap != "" {
			return -1, errors.New("the caller must open id-mapped mounts")
		}
		return OpenSource(m)
	}
	return sysfile.Dup(int(given.Fd()))
}

// callerTree returns the detached tree that came with the plan for a mount, nil for none.
func (b *Builder) callerTree(index int) *os.File {
	if index >= len(b.o.Trees) {
		return nil
	}
	return b.o.Trees[index]
}

// remount changes an existing mount: with "bind" only the mount, otherwise also the file system
// behind it.
func (b *Builder) remount(m *configs.Mount) error {
	fd, err := b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	if (m.Destination == "/dev" || m.Destination == "/") && m.Flags&unix.MS_RDONLY != 0 {
		// Devices and mount points are still to be created there.
		b.late = append(b.late, lateReadonly{fd: fd, field: m.Field, remount: m})
		return nil
	}
	return errors.Join(b.remountOpened(m, fd), unix.Close(fd))
}

// remountOpened is remount for the mount whose root fd is.
func (b *Builder) remountOpened(m *configs.Mount, fd int) error {
	id, err := mountapi.Identify(fd)
	if err != nil {
		return err
	}
	// Only the mount: its file system is the host's.
	if id.SameFile(b.id) && (m.Destination != "/" || m.Flags&unix.MS_BIND == 0) {
		return target.ErrRoot
	}
	if m.Flags&unix.MS_BIND == 0 {
		if err := filesystem.Reconfigure(m, fd); err != nil {
			return err
		}
	}
	// As with mount(2): "bind" replaces all flags, even if none is named.
	if m.Flags&unix.MS_BIND != 0 || mountapi.NamesFlags(m.Flags, m.Cleared) {
		if err := b.attacher.ReplaceFlags(m, fd); err != nil {
			return err
		}
	}
	return b.attacher.Adjust(m, fd, mountapi.Attr{})
}

// MountError adds to an error which mount failed, and what the kernel's error means.
func MountError(m *configs.Mount, err error) error {
	code := codes.MountFailed
	switch {
	case m.IsBind() && errors.Is(err, unix.EACCES) && unix.Access(m.Source, unix.F_OK) == unix.EACCES:
		err = access.Explain(m.Source, err)
	case m.IsBind() && errors.Is(err, unix.ENOENT):
		code = codes.MountSource
		err = configs.AddPhrase(access.ExplainMissing(m.Source, err), fmt.Sprintf(configs.PhraseMountSource, m.Source))
	case errors.Is(err, unix.ENODEV):
		err = filesystem.ExplainType(m.Type, err)
	case (m.Type == "proc" || m.Type == "sysfs") && (errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR)):
		err = fmt.Errorf("%w ("+configs.PhraseOrdinaryMount+")", err, m.Type)
	}
	err = fmt.Errorf("%s: mount %s on %s: %w", m.Field, m.Type, m.Destination, err)
	return codes.With(code, configs.AddPhrase(err, fmt.Sprintf(configs.PhraseMount, m.Source, m.Destination)))
}
