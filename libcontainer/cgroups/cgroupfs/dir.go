// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Dir is the absolute path of one cgroup.
//
// Its files are opened with bare system calls: os.OpenFile would add each to the poller, two
// more system calls for a file that is used for one write. Errors are *fs.PathError with only
// the name of the file, as in `write memory.max: invalid argument`. Callers add the cgroup or
// the field.
type Dir string

// Write opens file and writes value with one write(2).
func (d Dir) Write(file, value string) error {
	return d.WriteEach(file, value)
}

// WriteEach opens file once and writes each value with its own write(2), for files that accept
// one rule per call (devices.allow, io.max).
func (d Dir) WriteEach(file string, values ...string) error {
	fd, err := d.open(file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, v := range values {
		if err := writeValue(fd, file, v); err != nil {
			return err
		}
	}
	return nil
}

// writeValue writes with one call. It retries after EINTR: any signal interrupts the kernel's
// reclaim for memory.max, and the Go scheduler sends signals.
func writeValue(fd int, file, value string) error {
	if _, err := sysfile.RetryEINTR(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &fs.PathError{Op: "write", Path: file, Err: err}
	}
	return nil
}

// Read returns the content of file without leading and trailing white space.
func (d Dir) Read(file string) (string, error) {
	fd, err := d.open(file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	return readClosing(fd, file)
}

// readAt is like Read, with the descriptor of the cgroup's directory.
func readAt(dir int, file string) (string, error) {
	fd, err := openAt(dir, file, file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	return readClosing(fd, file)
}

// writeAt is like Write, with the descriptor of the cgroup's directory.
func writeAt(dir int, file, value string) error {
	fd, err := openAt(dir, file, file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeValue(fd, file, value)
}

func readClosing(fd int, file string) (string, error) {
	defer unix.Close(fd)
	b, err := sysfile.ReadAll(fd, file)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b)), nil
}

// WriteAll writes value to file in every cgroup below d, and then in d. Cgroups that do not
// exist, or disappear in the meantime, are skipped.
func (d Dir) WriteAll(file, value string) error {
	return d.walk(func(dir, _ int, _ string) error {
		if err := writeAt(dir, file, value); !gone(err) {
			return err
		}
		return nil
	})
}

// OpenWrite opens file for writing, to pass it to another process.
func (d Dir) OpenWrite(file string) (*os.File, error) {
	fd, err := d.open(file, unix.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), string(d)+"/"+file), nil
}

// Open opens the directory itself.
func (d Dir) Open() (*os.File, error) {
	fd, err := sysfile.RetryEINTR(func() (int, error) {
		return unix.Open(string(d), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: string(d), Err: err}
	}
	return os.NewFile(uintptr(fd), string(d)), nil
}

// Exists reports whether the directory exists. In case of doubt it returns true.
func (d Dir) Exists() bool {
	return !errors.Is(unix.Access(string(d), unix.F_OK), unix.ENOENT)
}

func (d Dir) open(file string, flags int) (int, error) {
	return openAt(unix.AT_FDCWD, string(d)+"/"+file, file, flags)
}

// openAt opens a file. Its errors contain only the name.
func openAt(dir int, path, name string, flags int) (int, error) {
	fd, err := sysfile.RetryEINTR(func() (int, error) { return unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// ReadProc reads a whole file of /proc.
func ReadProc(path string) (string, error) {
	b, err := sysfile.Read(path)
	return sysfile.StringOf(b), err
}

// FileSystem returns the magic number of the file system at path (statfs(2)), 0 if path does
// not exist.
func FileSystem(path string) (int64, error) {
	var st unix.Statfs_t
	_, err := sysfile.RetryEINTR(func() (int, error) { return 0, unix.Statfs(path, &st) })
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(st.Type), nil
}

// HasWord reports whether word is in a list separated by white space, as in cgroup.controllers.
func HasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
