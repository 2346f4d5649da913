// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// prepareRoot sets the propagation of the mount namespace and makes the rootfs a mount of its
// own, since pivot_root(2) needs one.
func (b *Builder) prepareRoot() (err error) {
	if b.rooted() {
		err = b.setRootPropagation()
	} else {
		err = b.makeRootMount()
	}
	if err != nil {
		return err
	}
	b.id, err = mountapi.Identify(b.root.FD())
	return err
}

// setRootPropagation sets the propagation of a mount namespace that has nothing in it but the root
// file system, which is a clone of the host's.
func (b *Builder) setRootPropagation() error {
	early := mountapi.Attr{Propagation: uint64(b.earlyPropagation() &^ unix.MS_REC)}
	if err := b.attacher.Set(b.root.FD(), true, early); err != nil {
		return fmt.Errorf("linux.rootfsPropagation: %w", err)
	}
	if err := b.attacher.Set(b.root.FD(), false, b.rootPropagation()); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	return nil
}

// makeRootMount does so in a mount namespace that is a copy of the host's, or on the host.
func (b *Builder) makeRootMount() error {
	if b.ownMounts() {
		if err := b.setPropagation(); err != nil {
			return err
		}
	}
	// Before its parent becomes private, or the clone would be private as well.
	tree, err := mountapi.CloneTree(b.root.FD(), true)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	if err := b.bindRoot(tree); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	return nil
}

// earlyPropagation returns the propagation of the whole tree before anything is mounted. Slave
// keeps our mounts from reaching the host and lets the host's volumes reach us. A shared tree
// must stay a peer of the host's, or what is mounted in a volume would not propagate to the
// host. Unbindable has to wait: the rootfs could not be bound any more.
func (b *Builder) earlyPropagation() uintptr {
	p := b.c.Rootfs.Propagation
	if p == 0 || p&unix.MS_UNBINDABLE != 0 {
		return unix.MS_SLAVE | unix.MS_REC
	}
	return p
}

// mayReachHost reports whether mounts of the namespace may still be shared with the host after
// earlyPropagation.
func (b *Builder) mayReachHost() bool {
	p := b.earlyPropagation()
	return p&unix.MS_SHARED != 0 || p&unix.MS_REC == 0
}

func (b *Builder) setPropagation() error {
	if err := unix.Mount("", "/", "", b.earlyPropagation(), ""); err != nil {
		return fmt.Errorf("linux.rootfsPropagation: %w", &os.PathError{Op: "mount", Path: "/", Err: err})
	}
	return nil
}

// openRoot opens the directory of the root file system.
func (b *Builder) openRoot() error {
	root, err := b.openDirectory()
	if errors.Is(err, unix.EACCES) && b.o.OpenRoot != nil {
		var fd int
		fd, err = b.o.OpenRoot()
		root = inroot.FromFD(fd)
	}
	if err != nil {
		return err
	}
	b.root = reach.NewRoot(root, b.o.Reach)
	// No process of the container could do anything there.
	if err := unix.Faccessat(root.FD(), "", unix.X_OK, unix.AT_EMPTY_PATH|unix.AT_EACCESS); errors.Is(err, unix.EACCES) {
		return access.ExplainAt(root.FD(), ".", b.c.Rootfs.Path, err)
	}
	return nil
}

func (b *Builder) openDirectory() (*inroot.Root, error) {
	if !b.rooted() {
		return inroot.Open(b.c.Rootfs.Path)
	}
	fd, err := sysfile.Dup(int(b.o.NamespaceRoot.Fd()))
	if err != nil {
		return nil, err
	}
	return inroot.FromFD(fd), nil
}

// closeParent keeps mounts on the rootfs from propagating to the host.
func (b *Builder) closeParent() error {
	if !b.mayReachHost() {
		return nil
	}
	err := host.PrivateParent(b.c.Rootfs.Path)
	if errors.Is(err, unix.EACCES) && b.o.PrivateParent != nil {
		return b.o.PrivateParent()
	}
	return err
}

// rootPropagation returns the propagation of the rootfs's own mount while it is built. A slave
// receives what the host mounts and unmounts below the rootfs from then on, and propagates
// nothing back. The slave types of linux.rootfsPropagation ask for that, and so do the shared
// ones, which latePropagation completes.
func (b *Builder) rootPropagation() mountapi.Attr {
	if b.ownMounts() && b.c.Rootfs.Propagation&(unix.MS_SLAVE|unix.MS_SHARED) != 0 {
		return mountapi.Attr{Propagation: unix.MS_SLAVE}
	}
	return mountapi.Attr{Propagation: unix.MS_PRIVATE}
}

// bindRoot binds the rootfs onto itself. tree is a clone of it, which bindRoot owns from then
// on. What is mounted in the rootfs is part of it. In our own namespace only the new mount
// itself is cut off from the host: submounts may be volumes that are to receive mounts. On the
// host everything is cut off, before and after: a mount becomes shared when it is attached to a
// shared parent.
func (b *Builder) bindRoot(tree int) error {
	dir := b.root.Root
	b.below, b.root.Root = dir, inroot.FromFD(tree)
	onHost := !b.ownMounts()
	if !onHost {
		if err := b.closeParent(); err != nil {
			return err
		}
	}
	err := b.attach(tree, dir.FD(), func(fd int) error { return b.attacher.Set(fd, onHost, b.rootPropagation()) })
	if err != nil || !onHost {
		return err
	}
	// From here on there is something to undo.
	if b.mountID, err = mountapi.ID(tree); err != nil {
		return errors.Join(err, b.proc.WithPath(tree, lazyUmount))
	}
	return b.attacher.Set(tree, true, mountapi.Attr{Propagation: unix.MS_PRIVATE})
}

func lazyUmount(path string) error {
	return os.NewSyscallError("umount2", unix.Unmount(path, unix.MNT_DETACH))
}
