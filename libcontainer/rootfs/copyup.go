// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyUp copies what is in the directory from into the new mount to, of which the owner is
// left when ownerSet says that an option has set it.
//
// A directory with something in it is for Options.CopyUp: the memory that the copy takes
// is the container's, and so not for this process to ask the kernel for. There is none to
// speak of in an empty one, and most are.
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

// openDirectory opens the directory that dir (O_PATH) is, for reading.
func openDirectory(dir int) (*os.File, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), "directory"), nil
}
