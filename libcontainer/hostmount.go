// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// detachRootfs undoes what a container without a mount namespace of its own has
// mounted on the host: everything that has come to stand on its rootfs since.
func (c *Container) detachRootfs() error {
	if c.rec.Saved.RootfsMountID == 0 {
		return nil
	}
	return detachAbove(c.rec.Saved.Rootfs, c.rec.Saved.RootfsMountID)
}

// detachAbove unmounts what is mounted on path until the mount with the given id is
// on top again.
func detachAbove(path string, id uint64) error {
	for {
		now, err := mountID(path)
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

// mountID is the id of the mount that path leads to (statx(2), STATX_MNT_ID).
func mountID(path string) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st); err != nil {
		return 0, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return st.Mnt_id, nil
}
