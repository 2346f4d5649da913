// SPDX-License-Identifier: Apache-2.0

// Package host changes mounts of the host's for the sake of a container: those that contain its
// root directory, those that it must not see, and what a container without a mount namespace of
// its own has left on its root directory.
package host

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// DetachAbove unmounts what is mounted on path until the mount with the given id is on top
// again.
func DetachAbove(path string, id uint64) error {
	for {
		now, err := MountID(path)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil || now == id {
			return err
		}
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			if errors.Is(err, unix.EINVAL) {
				return nil // not a mount point any more
			}
			return &os.PathError{Op: "umount", Path: path, Err: err}
		}
	}
}

// MountID returns the id of the mount that path leads to: the one in mountinfo, and not that of
// mountapi.ID.
func MountID(path string) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st); err != nil {
		return 0, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return st.Mnt_id, nil
}

// PrivateParent makes the mount that contains the directory rootfs private, in the calling
// thread's mount namespace.
func PrivateParent(rootfs string) error {
	// pivot_root(2) refuses a root whose parent mount is shared. The path on which the parent
	// is mounted is found by trying: the propagation can only be set at the root of a mount.
	// The path is the host's, not the container's.
	for p := rootfs; ; p = path.Dir(p) {
		err := unix.Mount("", p, "", unix.MS_PRIVATE, "")
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINVAL) || p == "/" {
			return &os.PathError{Op: "mount", Path: p, Err: err}
		}
	}
}

// Detach removes what a container without a mount namespace has mounted on rootfs. mountID is
// that of mountapi.ID. If that mount is gone, it is not an error, and a different mount is
// left alone.
func Detach(rootfs string, mountID uint64) error {
	root, err := inroot.Open(rootfs)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	id, err := mountapi.ID(root.FD())
	if err != nil || id != mountID {
		return err
	}
	// umount(2) takes only paths. This one leads to exactly the mount that was checked.
	at := fmt.Sprintf("/proc/thread-self/fd/%d", root.FD())
	if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "umount2", Path: rootfs, Err: err}
	}
	return nil
}
