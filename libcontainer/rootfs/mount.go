// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
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

var errOntoRoot = errors.New("the destination is the root of the container")

// target is the file that a mount is going to be attached on. Its fd was resolved once, inside
// the root. The path is not used any more.
type target struct {
	fd int
	mountapi.FileID
	// existed is set if the builder has not created it.
	existed bool
}

// openTarget opens the destination of m. If there is nothing, it creates a directory or an
// empty file. It refuses destinations that no mount may hide.
func (b *Builder) openTarget(m *configs.Mount, dir bool) (*target, error) {
	var resolve uint64
	if m.Type == "proc" || m.Type == "sysfs" || strings.HasPrefix(m.Destination, "/proc/") {
		// A link would put the kernel's files where the image wants them, and something else
		// where everybody expects them (CVE-2019-19921, CVE-2023-27561).
		resolve = unix.RESOLVE_NO_SYMLINKS
	}
	t := &target{existed: true}
	var err error
	open := unix.O_PATH
	if m.DestNoFollow {
		open |= unix.O_NOFOLLOW
	}
	t.fd, err = b.root.Open(m.Destination, open, resolve)
	if errors.Is(err, unix.ENOENT) {
		t.existed = false
		if dir {
			t.fd, err = b.root.MkdirAll(m.Destination, resolve)
		} else {
			t.fd, err = b.root.OpenOrCreate(m.Destination, resolve)
		}
	}
	if err != nil {
		return nil, err
	}
	if t.FileID, err = mountapi.Identify(t.fd); err != nil {
		return nil, errors.Join(err, unix.Close(t.fd))
	}
	if err := b.checkTarget(m, t, dir); err != nil {
		return nil, errors.Join(err, unix.Close(t.fd))
	}
	return t, nil
}

func (b *Builder) checkTarget(m *configs.Mount, t *target, dir bool) error {
	switch {
	case t.SameFile(b.id):
		return errOntoRoot
	// The kernel would return EINVAL. Engines recognise mistaken binds by "not a directory",
	// and explain them.
	case dir && !t.IsDir():
		if m.IsBind() {
			return fmt.Errorf("%w, but the source is one", unix.ENOTDIR)
		}
		return unix.ENOTDIR
	case !dir && t.IsDir():
		return fmt.Errorf("the source is %w, the target is one", unix.ENOTDIR)
	}
	return checkProc(m, t)
}

// emulated are the files in /proc that may be mounted on: lxcfs has versions of them that know
// the container's limits, and none of them can change the kernel.
var emulated = [...]string{
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
	"/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
}

// checkProc keeps /proc genuine: programs and runtimes write labels and settings there, and a
// fake file below it would make them ineffective (CVE-2019-16884, CVE-2025-52881). It checks by
// name, for a procfs that is mounted later, and by file, for names that lead into one through a
// link.
func checkProc(m *configs.Mount, t *target) error {
	if m.Type == "proc" {
		return nil
	}
	dest := m.Destination
	switch {
	case dest == "/proc":
		// mountBind allows a bind of a real procfs before this check.
		return fmt.Errorf("%s %s (only a procfs may be mounted on /proc)", m.Destination, configs.PhraseNotOfTypeProc)
	case strings.HasPrefix(dest, "/proc/"):
		if slices.Contains(emulated[:], dest) {
			return nil
		}
		return fmt.Errorf("%s %s", dest, configs.PhraseInsideProc)
	}
	is, err := procfs.Is(t.fd)
	if err == nil && is {
		err = errors.New("the destination leads into a procfs")
	}
	return err
}

// attachMount puts the new mount tree on t with the propagation and recursive attributes of m.
// a holds the other changes.
func (b *Builder) attachMount(m *configs.Mount, tree int, t *target, a mountapi.Attr) error {
	return b.attach(tree, t.fd, func(fd int) error { return b.attacher.Adjust(m, fd, a) })
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
	t, err := b.openBindTarget(m, tree, dir)
	if err != nil {
		return err
	}
	defer unix.Close(t.fd)
	return b.attach(tree, t.fd, func(fd int) error {
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
	fd, err := unix.FcntlInt(given.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return fd, os.NewSyscallError("fcntl", err)
}

// callerTree returns the detached tree that came with the plan for a mount, nil for none.
func (b *Builder) callerTree(index int) *os.File {
	if index >= len(b.o.Trees) {
		return nil
	}
	return b.o.Trees[index]
}

// openBindTarget opens the destination of a bind mount. It is treated as a mount of proc if it
// binds a procfs on /proc.
func (b *Builder) openBindTarget(m *configs.Mount, tree int, dir bool) (*target, error) {
	if m.Destination == "/proc" && procfs.IsRoot(tree) {
		proc := *m
		proc.Type = "proc"
		m = &proc
	}
	return b.openTarget(m, dir)
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
		return errOntoRoot
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
	switch {
	case m.IsBind() && errors.Is(err, unix.EACCES) && unix.Access(m.Source, unix.F_OK) == unix.EACCES:
		err = access.Explain(m.Source, err)
	case m.IsBind() && errors.Is(err, unix.ENOENT):
		err = fmt.Errorf("%w ("+configs.PhraseMountSource+")", err, m.Source)
	case (m.Type == "proc" || m.Type == "sysfs") && (errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR)):
		err = fmt.Errorf("%w ("+configs.PhraseOrdinaryMount+")", err, m.Type)
	}
	return fmt.Errorf("%s: mount %s on %s: %w ("+configs.PhraseMount+")", m.Field, m.Type, m.Destination, err, m.Source, m.Destination)
}
