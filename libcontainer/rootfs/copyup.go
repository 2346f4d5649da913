// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyUp copies the content of the directory from into the new mount to. If ownerSet is set, an
// option has set the owner of the mount, and it is kept.
//
// A directory with content is left to Options.CopyUp: the container is charged for the memory
// of the copy, so this process must not allocate it. An empty one, like most, needs hardly any.
func (b *Builder) copyUp(from, to int, ownerSet bool) error {
	src, err := openDirectory(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := openDirectory(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	_, err = src.Readdirnames(1)
	switch {
	case err == nil:
		if _, err := src.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return b.o.CopyUp(src, dst, !ownerSet)
	case !errors.Is(err, io.EOF):
		return err
	case ownerSet:
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(src.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	return os.NewSyscallError("fchown", unix.Fchown(int(dst.Fd()), int(st.Uid), int(st.Gid)))
}

// openDirectory opens the directory that dir (O_PATH) refers to for reading.
func openDirectory(dir int) (*os.File, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), "directory"), nil
}
