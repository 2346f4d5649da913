// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
	"github.com/berth-run/berth/libcontainer/rootfs/target"
	"golang.org/x/sys/unix"
)

// mountOntoRoot makes a mount of the plan whose destination is "/", with the same meaning as in
// crun: what is mounted becomes the root file system, for later mounts, for devices, and for
// the container. It hides what was mounted before.
//
// It replaces the mount that bindRoot has made, instead of covering it. So there is only one
// root to pivot to, or to move if there is no pivot_root(2), and nothing below it that a
// process with CAP_SYS_CHROOT could reach.
func (b *Builder) mountOntoRoot(index int, m *configs.Mount) error {
	if b.live != nil || !b.ownMounts() {
		return target.ErrRoot
	}
	tree, err := b.rootTree(index, m)
	if err != nil {
		return err
	}
	id, err := mountapi.Identify(tree)
	if err == nil && !id.IsDir() {
		err = fmt.Errorf("the source is %w, the root is one", unix.ENOTDIR)
	}
	if err != nil {
		return errors.Join(err, unix.Close(tree))
	}
	return b.replaceRoot(m, tree)
}

// rootTree returns what mountOntoRoot mounts, as a detached tree.
func (b *Builder) rootTree(index int, m *configs.Mount) (int, error) {
	if m.IsBind() {
		return b.bindSource(index, m)
	}
	t := &target.Target{FD: b.root.FD(), FileID: b.id, Existed: true}
	if given := b.callerTree(index); given != nil {
		return takeFilesystem(given, m, t)
	}
	if filesystem.NeedsOldCall(m) {
		return b.oldRootTree(m)
	}
	tree, err := b.newFilesystem(m, t)
	if err != nil || !m.CopyUp {
		return tree, err
	}
	if err := filesystem.CopyUp(m, t.FD, tree, b.o.CopyUp); err != nil {
		return -1, errors.Join(fmt.Errorf("tmpcopyup: %w", err), unix.Close(tree))
	}
	return tree, nil
}

// oldRootTree makes a tree with mount(2), which only makes attached mounts. It attaches it to
// the root that is to be replaced, which nobody else sees.
func (b *Builder) oldRootTree(m *configs.Mount) (int, error) {
	err := b.proc.WithPath(b.root.FD(), func(path string) error { return filesystem.OldCall(m, b.c.MountLabel, path) })
	if err != nil {
		return -1, err
	}
	// On a root, ".." leads to what is mounted on it, and "." does not.
	top, err := unix.Openat2(b.root.FD(), "..", &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT,
	})
	if err != nil {
		return -1, os.NewSyscallError("openat2", err)
	}
	defer unix.Close(top)
	id, err := mountapi.Identify(top)
	if err == nil && id.Mount == b.id.Mount {
		err = errors.New("the mount is not where it was made")
	}
	if err != nil {
		return -1, err
	}
	return mountapi.CloneTree(top, false)
}

// replaceRoot puts tree, which it owns from then on, where the root file system is mounted.
func (b *Builder) replaceRoot(m *configs.Mount, tree int) error {
	// The mounts of the old root are gone and need no change any more.
	for _, l := range b.late {
		_ = unix.Close(l.fd)
	}
	b.late = nil
	if err := b.proc.WithPath(b.root.FD(), lazyUmount); err != nil {
		return errors.Join(err, unix.Close(tree))
	}
	_ = b.root.Close()
	b.root.Root = inroot.FromFD(tree)
	err := b.attach(tree, b.below.FD(), func(fd int) error { return b.adjustRoot(m, fd) })
	if err != nil {
		return err
	}
	b.id, err = mountapi.Identify(tree)
	return err
}

// adjustRoot gives the new root the flags that m asks for. A read-only one becomes read-only
// only at the end, as with root.readonly, because mount points are still to be created in it.
// One that was read-only before stays so.
func (b *Builder) adjustRoot(m *configs.Mount, fd int) error {
	var before unix.Statfs_t
	if err := unix.Fstatfs(fd, &before); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if m.IsBind() && mountapi.NamesFlags(m.Flags, m.Cleared) {
		if err := b.attacher.ReplaceFlags(m, fd); err != nil {
			return err
		}
	}
	// Its propagation is what it would be without m, so that the kernel accepts it for
	// pivot_root(2). linux.rootfsPropagation is applied after that.
	if err := b.attacher.Set(fd, false, b.rootPropagation()); err != nil {
		return err
	}
	if err := b.attacher.Adjust(m, fd, mountapi.Attr{}); err != nil {
		return err
	}
	asked := uint64(m.Flags)&unix.MS_RDONLY != 0 || m.RecAttrSet&unix.MOUNT_ATTR_RDONLY != 0
	if !asked || before.Flags&unix.ST_RDONLY != 0 && m.IsBind() {
		return nil
	}
	late, err := sysfile.Dup(fd)
	if err != nil {
		return err
	}
	b.late = append(b.late, lateReadonly{fd: late, field: m.Field})
	return b.attacher.Set(fd, false, mountapi.Attr{Clear: unix.MOUNT_ATTR_RDONLY})
}
