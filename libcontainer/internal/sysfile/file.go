// SPDX-License-Identifier: Apache-2.0

// Package sysfile reads, writes and removes files with plain system calls. Package os makes eight
// more system calls for the first file, to set up its poller, and four more for each other
// file. For a command that takes three milliseconds, that is worth a package.
package sysfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is os.ReadFile with plain system calls.
func Read(path string) ([]byte, error) {
	fd, err := RetryEINTR(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return ReadAll(fd, path)
}

// ReadOwned is Read for a file that this program has written, and returns its owner. It does not
// follow a symbolic link or wait for a fifo, which somebody else must have put there.
func ReadOwned(path string) (data []byte, owner uint32, err error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := RetryEINTR(func() (int, error) { return unix.Open(path, flags, 0) })
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, 0, &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFREG && kind != unix.S_IFDIR { // read tells of that
		return nil, 0, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if size := st.Size; kind == unix.S_IFREG && size > 0 && size < maxAtOnce {
		// Nobody changes it: a new state replaces the file.
		data = make([]byte, size)
		if n, err := read(fd, path, data); err != nil || n == len(data) {
			return data, st.Uid, err
		}
		if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
			return nil, 0, &os.PathError{Op: "lseek", Path: path, Err: err}
		}
	}
	data, err = ReadAll(fd, path)
	return data, st.Uid, err
}

// maxAtOnce limits what the size of a file lets ReadOwned allocate.
const maxAtOnce = 1 << 20

// ReadLine reads a file of the kernel that has only one line, which a single read returns whole,
// and no more than 4096 bytes.
func ReadLine(path string) ([]byte, error) {
	fd, err := RetryEINTR(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var line [4096]byte
	n, err := read(fd, path, line[:])
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), line[:n]...), nil
}

// ErrNotRegular is returned by ReadOwned for anything but a regular file.
var ErrNotRegular = errors.New("not a regular file")

// ReadAll reads an open file to its end. path is its name in errors.
func ReadAll(fd int, path string) ([]byte, error) {
	// On the stack: most files are much smaller, and `list` reads hundreds.
	var first [4096]byte
	n := 0
	for n < len(first) {
		m, err := read(fd, path, first[n:])
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return append([]byte(nil), first[:n]...), nil
		}
		n += m
	}
	buf := append(make([]byte, 0, 4*len(first)), first[:]...)
	for {
		m, err := read(fd, path, buf[len(buf):cap(buf)])
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return buf, nil
		}
		if buf = buf[:len(buf)+m]; len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
	}
}

// read reads into buf, which is not empty. It returns 0 at the end of the file.
func read(fd int, path string, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, unix.EINTR):
			return 0, &os.PathError{Op: "read", Path: path, Err: err}
		}
	}
}

// Open is os.OpenFile with plain system calls, for a file that exists.
func Open(path string, flags int) (*os.File, error) {
	fd, err := RetryEINTR(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// WriteNew creates and writes a file with plain system calls. A file that it could not write
// completely is removed again.
func WriteNew(path string, data []byte, mode uint32) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, mode)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = RetryEINTR(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		err = &os.PathError{Op: "write", Path: path, Err: err}
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// RemoveTree is os.RemoveAll with plain system calls, for a directory that nobody else changes.
func RemoveTree(path string) error {
	err := emptyDir(unix.AT_FDCWD, path)
	if err == nil {
		err = unix.Rmdir(path)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

// emptyDir removes everything in the directory name, which is in the directory dir.
func emptyDir(dir int, name string) error {
	fd, err := RetryEINTR(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var buf [2048]byte
	for {
		n, err := RetryEINTR(func() (int, error) { return unix.ReadDirent(fd, buf[:]) })
		if err != nil || n == 0 {
			return err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if err := removeAt(fd, name); err != nil {
				return err
			}
		}
	}
}

// removeAt removes one entry of a directory.
func removeAt(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // and the others have to go
	}
	if !errors.Is(err, unix.EISDIR) {
		return err
	}
	if err := emptyDir(dir, name); err != nil {
		return err
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

// RetryEINTR repeats a system call if a signal interrupts it.
func RetryEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// Dup returns another descriptor for what fd refers to.
func Dup(fd int) (int, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return dup, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
}

// StringOf returns data as a string without a copy. Nobody may change data afterwards.
func StringOf(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// Memfile returns an anonymous file with the content, positioned at its start.
func Memfile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if len(content) > 0 {
		if _, err := f.WriteAt(content, 0); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	return f, nil
}

// WriteAtomically writes a temporary file beside path and renames it. It does not sync: the state is
// on a tmpfs and is worthless after a reboot.
func WriteAtomically(path string, data []byte, mode uint32) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	err := WriteNew(tmp, data, mode)
	if errors.Is(err, unix.EEXIST) {
		// A killed command left it. Nobody else writes here without the lock.
		if err = os.Remove(tmp); err == nil {
			err = WriteNew(tmp, data, mode)
		}
	}
	if err == nil {
		if err = unix.Rename(tmp, path); err != nil {
			err = &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
		}
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// WriteOnce writes a file of /proc with a single write, as such files require.
func WriteOnce(path, text string) error {
	fd, err := RetryEINTR(func() (int, error) { return unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := RetryEINTR(func() (int, error) { return unix.Write(fd, []byte(text)) }); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
