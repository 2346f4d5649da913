// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// maxCopyDepth bounds the nesting of a copied tree: each level holds two
// descriptors.
const maxCopyDepth = 256

// copyUp copies what is in the directory from into the directory to, with owners,
// modes, times, symbolic links, special files and extended attributes. Nothing of
// the image is followed: each entry is opened from its directory's descriptor.
// The owner of to itself is left when ownerSet says that an option has set it.
func copyUp(from, to int, ownerSet bool) error {
	src, err := openDirectory(from, ".")
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := openDirectory(to, ".")
	if err != nil {
		return err
	}
	defer dst.Close()
	if !ownerSet {
		var st unix.Stat_t
		if err := unix.Fstat(int(src.Fd()), &st); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		if err := unix.Fchown(int(dst.Fd()), int(st.Uid), int(st.Gid)); err != nil {
			return os.NewSyscallError("fchown", err)
		}
	}
	return copyEntries(src, dst, "", 0)
}

func openDirectory(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// copyEntries copies all entries of src; at is its path for errors.
func copyEntries(src, dst *os.File, at string, depth int) error {
	if depth > maxCopyDepth {
		return fmt.Errorf("%s: nested too deeply", at)
	}
	names, err := src.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyEntry(src, dst, name, path.Join(at, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func copyEntry(src, dst *os.File, name, at string, depth int) error {
	from, to := int(src.Fd()), int(dst.Fd())
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "fstatat", Path: at, Err: err}
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return copyDirectory(src, dst, name, at, depth, &st)
	case unix.S_IFREG:
		err = copyFile(from, to, name, &st)
	case unix.S_IFLNK:
		err = copyLink(from, to, name, &st)
	default:
		err = copySpecial(to, name, &st)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

func copyDirectory(src, dst *os.File, name, at string, depth int, st *unix.Stat_t) error {
	if err := unix.Mkdirat(int(dst.Fd()), name, 0o700); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	from, err := openDirectory(int(src.Fd()), name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := openDirectory(int(dst.Fd()), name)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := copyEntries(from, to, at, depth+1); err != nil {
		return err
	}
	if err := copyMetadata(int(dst.Fd()), name, st); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return copyXattrs(int(from.Fd()), int(to.Fd()))
}

func copySpecial(to int, name string, st *unix.Stat_t) error {
	if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil {
		return os.NewSyscallError("mknodat", err)
	}
	return copyMetadata(to, name, st)
}

func copyLink(from, to int, name string, st *unix.Stat_t) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from, name, buf)
	if err != nil {
		return os.NewSyscallError("readlinkat", err)
	}
	if err := unix.Symlinkat(string(buf[:n]), to, name); err != nil {
		return os.NewSyscallError("symlinkat", err)
	}
	return copyMetadata(to, name, st)
}

func copyFile(from, to int, name string, st *unix.Stat_t) error {
	// O_NONBLOCK: it may have become a fifo since it was looked at.
	in, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	src := os.NewFile(uintptr(in), name)
	defer src.Close()
	out, err := unix.Openat(to, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	dst := os.NewFile(uintptr(out), name)
	_, err = io.Copy(dst, src)
	if err == nil {
		err = copyMetadata(to, name, st)
	}
	if err == nil {
		// After the change of owner, which drops file capabilities.
		err = copyXattrs(in, out)
	}
	return errors.Join(err, dst.Close())
}

// copyMetadata gives the new entry its owner, mode (after the owner, which takes
// set-id bits away) and times. The new tree is ours alone, so that names are safe
// in it; only links must not be followed.
func copyMetadata(to int, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("fchownat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(to, name, st.Mode&0o7777, 0); err != nil {
			return os.NewSyscallError("fchmodat", err)
		}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(to, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("utimensat", err)
	}
	return nil
}

// copyXattrs copies the extended attributes that the new file system takes; it is
// no error when it does not know some.
func copyXattrs(from, to int) error {
	n, err := unix.Flistxattr(from, nil)
	if err != nil || n == 0 {
		return ignoreUnsupported("flistxattr", err)
	}
	list := make([]byte, n)
	if n, err = unix.Flistxattr(from, list); err != nil {
		return ignoreUnsupported("flistxattr", err)
	}
	for _, name := range bytes.Split(bytes.TrimRight(list[:n], "\x00"), []byte{0}) {
		size, err := unix.Fgetxattr(from, string(name), nil)
		if err != nil {
			return ignoreUnsupported("fgetxattr", err)
		}
		value := make([]byte, size)
		if size, err = unix.Fgetxattr(from, string(name), value); err != nil {
			return ignoreUnsupported("fgetxattr", err)
		}
		err = unix.Fsetxattr(to, string(name), value[:size], 0)
		if err := ignoreUnsupported("fsetxattr", err); err != nil {
			return err
		}
	}
	return nil
}

func ignoreUnsupported(call string, err error) error {
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return nil
	}
	return os.NewSyscallError(call, err)
}
