// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"os"

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

// MountID returns the id of the mount that path leads to (statx(2), STATX_MNT_ID).
func MountID(path string) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st); err != nil {
		return 0, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return st.Mnt_id, nil
}
