// SPDX-License-Identifier: Apache-2.0

package mountapi

import (
	"os"

	"golang.org/x/sys/unix"
)

// FileID identifies a file in a mount: the same file seen through two mounts has two ids.
type FileID struct {
	dev, ino uint64
	// Mount is the id of the mount in mountinfo, which the kernel may use again.
	Mount uint64
	// Mode is the type of the file and its permissions, as stat(2) returns them.
	Mode uint32
}

// Identify returns the id of the file that fd refers to.
func Identify(fd int) (FileID, error) {
	f, err := identify(fd, "", unix.AT_EMPTY_PATH)
	return f, os.NewSyscallError("statx", err)
}

// IdentifyAt returns the id of the file at path, relative to the directory dir. It follows links.
func IdentifyAt(dir int, path string) (FileID, error) {
	f, err := identify(dir, path, 0)
	if err != nil {
		return f, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return f, nil
}

func identify(dir int, path string, flags int) (FileID, error) {
	var st unix.Statx_t
	err := unix.Statx(dir, path, flags|unix.AT_STATX_DONT_SYNC,
		unix.STATX_TYPE|unix.STATX_MODE|unix.STATX_INO|unix.STATX_MNT_ID, &st)
	if err != nil {
		return FileID{}, err
	}
	return FileID{
		dev:   unix.Mkdev(st.Dev_major, st.Dev_minor),
		ino:   st.Ino,
		Mount: st.Mnt_id,
		Mode:  uint32(st.Mode),
	}, nil
}

// IsDir reports whether f is a directory.
func (f FileID) IsDir() bool { return f.Mode&unix.S_IFMT == unix.S_IFDIR }

// SameFile reports whether f and g are the same file in the same mount.
func (f FileID) SameFile(g FileID) bool { return f.SameInode(g) && f.Mount == g.Mount }

// SameInode reports whether f and g are the same file, in whichever mounts.
func (f FileID) SameInode(g FileID) bool { return f.dev == g.dev && f.ino == g.ino }
