// SPDX-License-Identifier: Apache-2.0

package mountapi

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenTree clones the mount at path, a path outside of every container, as a detached tree.
// With recursive the mounts below are cloned as well. If the last component is a symbolic link,
// it is followed. The caller owns the descriptor.
func OpenTree(path string, recursive bool) (int, error) {
	return openTree(path, cloneFlags(recursive))
}

// OpenTreeNoFollow is OpenTree, but does not follow the last component if it is a symbolic
// link.
func OpenTreeNoFollow(path string, recursive bool) (int, error) {
	return openTree(path, cloneFlags(recursive)|unix.AT_SYMLINK_NOFOLLOW)
}

func openTree(path string, flags uint) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: path, Err: err}
	}
	return fd, nil
}

// CloneTree clones the mount that fd is in, with fd's file as its root. The caller owns the
// descriptor.
func CloneTree(fd int, recursive bool) (int, error) {
	tree, err := unix.OpenTree(fd, "", cloneFlags(recursive)|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	return tree, nil
}

// openTreeNamespace is OPEN_TREE_NAMESPACE (linux/mount.h, Linux 7.0).
const openTreeNamespace = 1 << 1

// NewNamespace makes a mount namespace whose root is a clone of what fd refers to, with all that is
// mounted below it. Nothing else is in the namespace. The caller owns the descriptor, which is
// of the namespace and not of a mount. It needs Linux 7.0, without it: EINVAL.
func NewNamespace(fd int) (int, error) {
	ns, err := unix.OpenTree(fd, "", openTreeNamespace|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	return ns, nil
}

// HaveNewNamespace probes for what NewNamespace needs.
func HaveNewNamespace() error {
	// The fd is impossible: a kernel that knows the flag refuses the fd.
	if _, err := NewNamespace(-1); !errors.Is(err, unix.EBADF) {
		return err
	}
	return nil
}

func cloneFlags(recursive bool) uint {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return flags
}

// MoveMount attaches the mount tree on the file that target refers to, on top of anything
// mounted there. tree still refers to the mount.
func MoveMount(tree, target int) error {
	return os.NewSyscallError("move_mount", unix.MoveMount(tree, "", target, "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// MoveMountAt attaches tree on the entry name of directory dir. It does not follow name if that
// is a symbolic link.
func MoveMountAt(tree, dir int, name string) error {
	err := unix.MoveMount(tree, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return &os.PathError{Op: "move_mount", Path: name, Err: err}
	}
	return nil
}

// Attr is a change of a mount, in the terms of mount_setattr(2).
type Attr struct {
	// Set and Clear are MOUNT_ATTR_*. Clear is applied first.
	Set, Clear uint64
	// Propagation is one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; 0 for no change.
	Propagation uint64
}

// IsZero reports whether a changes nothing.
func (a Attr) IsZero() bool { return a == Attr{} }

// SetAttr changes the mount whose root fd refers to. With recursive it also changes all mounts
// below it. If one of them cannot be changed, none is.
func SetAttr(fd int, recursive bool, a Attr) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: a.Set, Attr_clr: a.Clear, Propagation: a.Propagation}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(fd, "", flags, &attr))
}

// SetIDMap applies the id maps of a user namespace to the detached mount whose root fd refers
// to, and with recursive to all mounts below it (mount_setattr(2), "ID-mapped mounts"). An id
// in the file system is taken as an id in the namespace, and shown as the host id that it maps
// to.
func SetIDMap(fd int, recursive bool, userns int) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns)}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(fd, "", flags, &attr))
}

// HaveSetAttr probes for mount_setattr(2) (Linux 5.12).
func HaveSetAttr() error {
	// The fd is impossible: a kernel that has the call refuses the fd.
	err := unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.EBADF) {
		return nil
	}
	return os.NewSyscallError("mount_setattr", err)
}

// ID returns the id of the mount that fd is in. If the kernel has ids that are never reused
// (Linux 6.8), it is one of those.
func ID(fd int) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC,
		unix.STATX_MNT_ID|unix.STATX_MNT_ID_UNIQUE, &st)
	if err != nil {
		return 0, os.NewSyscallError("statx", err)
	}
	if st.Mask&(unix.STATX_MNT_ID|unix.STATX_MNT_ID_UNIQUE) == 0 {
		return 0, os.NewSyscallError("statx: mount id", unix.ENOTSUP)
	}
	return st.Mnt_id, nil
}
