// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is the absolute path of one cgroup.
//
// Its files are opened with bare system calls: os.OpenFile would put each into
// the poller, two calls more for a file that lives for one write. Errors are
// *fs.PathError with the name of the file alone, as in `write memory.max:
// invalid argument`; callers say which cgroup or which field it was.
type Dir string

// Write opens file and writes value in one call.
func (d Dir) Write(file, value string) error {
	return d.WriteEach(file, value)
}

// WriteEach opens file once and gives each value a write(2) of its own, for
// files that take one rule per call (devices.allow, io.max).
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

// writeValue writes in one call. It may be interrupted: the kernel leaves off reclaiming
// for memory.max on any signal, and the Go scheduler sends them.
func writeValue(fd int, file, value string) error {
	if _, err := retry(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
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

// readAt is Read by the descriptor of the cgroup's directory.
func readAt(dir int, file string) (string, error) {
	fd, err := openAt(dir, file, file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	return readClosing(fd, file)
}

// writeAt is Write by the descriptor of the cgroup's directory.
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
	b, err := readAll(fd)
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: file, Err: err}
	}
	return string(bytes.TrimSpace(b)), nil
}

// WriteAll writes value to file in every cgroup below d, and in d at last. One that is
// missing, or vanishes meanwhile, is none.
func (d Dir) WriteAll(file, value string) error {
	return d.walk(func(dir, _ int, _ string) error {
		if err := writeAt(dir, file, value); !gone(err) {
			return err
		}
		return nil
	})
}

// OpenWrite opens file for writing as something to hand to another process.
func (d Dir) OpenWrite(file string) (*os.File, error) {
	fd, err := d.open(file, unix.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), string(d)+"/"+file), nil
}

// Open opens the directory itself.
func (d Dir) Open() (*os.File, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(string(d), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: string(d), Err: err}
	}
	return os.NewFile(uintptr(fd), string(d)), nil
}

// Exists says whether the directory is there, in case of doubt yes.
func (d Dir) Exists() bool {
	return !errors.Is(unix.Access(string(d), unix.F_OK), unix.ENOENT)
}

func (d Dir) open(file string, flags int) (int, error) {
	return openAt(unix.AT_FDCWD, string(d)+"/"+file, file, flags)
}

// openAt opens a file that errors call by the name alone.
func openAt(dir int, path, name string, flags int) (int, error) {
	fd, err := retry(func() (int, error) { return unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// readAll reads to the end of file. Most cgroup files fit into the first
// buffer; lists of processes may not.
func readAll(fd int) ([]byte, error) {
	buf := make([]byte, 0, 4096)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := retry(func() (int, error) { return unix.Read(fd, buf[len(buf):cap(buf)]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+n]
	}
}

// ReadProc reads a file of /proc whole.
func ReadProc(path string) (string, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	b, err := readAll(fd)
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return string(b), nil
}

// FileSystem is the magic number of the file system that path is on, 0 when
// path does not exist (statfs(2)).
func FileSystem(path string) (int64, error) {
	var st unix.Statfs_t
	_, err := retry(func() (int, error) { return 0, unix.Statfs(path, &st) })
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(st.Type), nil
}

// HasWord says whether word stands in a list separated by white space, as in
// cgroup.controllers.
func HasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR { //nolint:errorlint // a bare errno
			return n, err
		}
	}
}
