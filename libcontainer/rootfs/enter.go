// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/berth-run/berth/libcontainer/rootfs/mask"
	"golang.org/x/sys/unix"
)

// enterRoot makes the rootfs the root of the mount namespace (and of this thread), in the way
// that the plan allows.
func (b *Builder) enterRoot() error {
	if b.ownMounts() && b.o.NamespaceRoot != nil && !b.rooted() {
		// In a chroot: otherwise the host's mounts around it would stay in the namespace.
		if err := unix.Fchdir(int(b.o.NamespaceRoot.Fd())); err != nil {
			return os.NewSyscallError("fchdir", err)
		}
		if err := unix.Chroot("."); err != nil {
			return os.NewSyscallError("chroot", err)
		}
	}
	if b.pivots() && !b.rooted() {
		return b.pivot()
	}
	if b.ownMounts() && !b.rooted() {
		if err := b.moveRoot(); err != nil {
			return err
		}
	}
	if err := b.chdirRoot(); err != nil {
		return err
	}
	return os.NewSyscallError("chroot", unix.Chroot("."))
}

func (b *Builder) chdirRoot() error {
	return os.NewSyscallError("fchdir", unix.Fchdir(b.root.FD()))
}

// pivot exchanges the rootfs and the old root. It does not need a directory to put the old one
// on: the old root ends up on top of the new one (pivot_root(2), NOTES).
//
// It must be unmounted at once, although that waits for an RCU grace period, which could be
// used otherwise: ".." of the root leads up to what is mounted on it, even for openat2(2) with
// RESOLVE_IN_ROOT.
func (b *Builder) pivot() error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	defer unix.Close(old)
	if err := b.chdirRoot(); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	if err := unix.Fchdir(old); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	if b.mayReachHost() {
		// Otherwise the unmount would propagate to the host.
		if err := unix.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
	}
	if err := lazyUmount("."); err != nil {
		return err
	}
	return b.chdirRoot()
}

// latePropagation sets the propagation types that had to wait for the new root.
func (b *Builder) latePropagation() error {
	p := b.c.Rootfs.Propagation
	if !b.ownMounts() || p&(unix.MS_SHARED|unix.MS_UNBINDABLE) == 0 {
		return nil
	}
	a := mountapi.Attr{Propagation: uint64(p &^ unix.MS_REC)}
	if err := b.attacher.Set(b.root.FD(), p&unix.MS_REC != 0, a); err != nil {
		return fmt.Errorf("linux.rootfsPropagation: %w", err)
	}
	return nil
}

// makeCwd creates the working directory of the container's process, as engines expect. Init
// checks whether the process may enter it.
func (b *Builder) makeCwd() error {
	if b.c.Process.Cwd == "" || b.c.Process.Cwd == "/" {
		return nil
	}
	fd, err := b.root.MkdirAll(b.c.Process.Cwd, 0)
	if errors.Is(err, unix.ENOENT) {
		// In a procfs: nothing can be created there, and /proc/self exists only for processes
		// in its pid namespace. Init is in it, and this thread is not.
		return nil
	}
	if err != nil {
		return fmt.Errorf("process.cwd: %w", err)
	}
	return unix.Close(fd)
}

// remountReadonly makes read-only what is to be so, now that nothing is created in it any more.
func (b *Builder) remountReadonly() error {
	if err := b.remountLate(); err != nil || !b.c.Rootfs.Readonly {
		return err
	}
	if err := b.attacher.Set(b.root.FD(), false, readonly); err != nil {
		return fmt.Errorf("root.readonly: %w", err)
	}
	return nil
}

// remountLate is remountReadonly for mounts.
func (b *Builder) remountLate() error {
	for _, l := range b.late {
		if l.remount != nil {
			if err := b.remountOpened(l.remount, l.fd); err != nil {
				return MountError(l.remount, err)
			}
			continue
		}
		if err := b.attacher.Set(l.fd, false, readonly); err != nil {
			return fmt.Errorf("%s: read-only: %w", l.field, err)
		}
	}
	return nil
}

var readonly = mountapi.Attr{Set: unix.MOUNT_ATTR_RDONLY}

func (b *Builder) setNames() error {
	if name := b.c.Hostname; name != "" {
		if err := unix.Sethostname([]byte(name)); err != nil {
			return fmt.Errorf("hostname: %w", os.NewSyscallError("sethostname", err))
		}
	}
	if name := b.c.Domainname; name != "" {
		if err := unix.Setdomainname([]byte(name)); err != nil {
			return fmt.Errorf("domainname: %w", os.NewSyscallError("setdomainname", err))
		}
	}
	return nil
}

// moveRoot puts the rootfs on top of "/", for hosts whose root is the initial ramfs, for which
// pivot_root(2) does not work. The host's mounts stay below it, and a process with
// CAP_SYS_CHROOT may be able to reach them. So the procfs and sysfs mounts that show everything
// are removed first, since nothing in the container may see them unmasked.
func (b *Builder) moveRoot() error {
	data, err := b.proc.ReadThread("mountinfo")
	if err != nil {
		return err
	}
	if err := host.Hide(string(data), b.c.Rootfs.Path, b.mayReachHost()); err != nil {
		return err
	}
	return mountapi.MoveMountAt(b.root.FD(), unix.AT_FDCWD, "/")
}

// protectPaths makes linux.readonlyPaths read-only. Paths that the container does not have are
// skipped: engines list those of all kernels and architectures.
func (b *Builder) protectPaths() error {
	for i, p := range b.c.ReadonlyPaths {
		if err := b.protectPath(p); err != nil {
			return fmt.Errorf("linux.readonlyPaths[%d]: %s: %w", i, p, err)
		}
	}
	return nil
}

// protectPath mounts a read-only clone of p on itself. What is mounted below p is cloned
// unchanged.
func (b *Builder) protectPath(p string) error {
	target, err := b.root.Open(p, unix.O_PATH, 0)
	if inroot.IsMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	id, err := mountapi.Identify(target)
	if err != nil {
		return err
	}
	if id.SameFile(b.id) {
		// A process whose root is the old mount would not see what is mounted on it.
		return b.attacher.Set(b.root.FD(), false, readonly)
	}
	tree, err := mountapi.CloneTree(target, true)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return b.attach(tree, target, func(fd int) error {
		return b.attacher.Set(fd, false, readonly)
	})
}

// maskPaths hides linux.maskedPaths.
func (b *Builder) maskPaths() error {
	return mask.Paths(b.root, b.id, b.c.MaskedPaths, b.c.MountLabel)
}
