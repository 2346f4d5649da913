// SPDX-License-Identifier: Apache-2.0

// Package document reads untrusted documents.
package document

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read makes plain system calls: os.Open would first set up the Go runtime's poller.
func Read(path string, flags int) (string, error) {
	fd, err := Retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|flags, 0)
	})
	if err != nil {
		return "", fmt.Errorf("open %s: %w", path, err)
	}
	return ReadOpened(fd, path, flags)
}

// ReadOpened reads and closes a file that was opened with the given flags.
func ReadOpened(fd int, path string, flags int) (string, error) {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("fstat %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "", fmt.Errorf("read %s: %w", path, unix.EISDIR)
	case st.Mode&unix.S_IFMT != unix.S_IFREG && flags == OnlyRegular:
		return "", fmt.Errorf("%s: not a regular file", path)
	case st.Size > MaxConfigSize:
		return "", fmt.Errorf("%s: %d bytes, more than the %d MiB that a config may have", path, st.Size, MaxConfigSize>>20)
	}
	return readAll(fd, path, int(st.Size))
}

// readAll reads a file. The size is only a hint: it is 0 for files of procfs, and a file may
// grow in the meantime.
func readAll(fd int, path string, size int) (string, error) {
	buf := make([]byte, 0, size+1)
	for {
		if len(buf) == cap(buf) {
			if len(buf) > MaxConfigSize {
				return "", fmt.Errorf("%s: more than the %d MiB that a config may have", path, MaxConfigSize>>20)
			}
			buf = append(buf, make([]byte, 4096)...)[:len(buf)]
		}
		n, err := Retry(func() (int, error) { return unix.Read(fd, buf[len(buf):cap(buf)]) })
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
		if n == 0 {
			// The text is not copied, because nothing writes to buf any more. The strings of
			// the spec are slices of it.
			return unsafe.String(unsafe.SliceData(buf), len(buf)), nil
		}
		buf = buf[:len(buf)+n]
	}
}

// Retry repeats a system call that was interrupted by a signal.
func Retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// The flags for Read to open the file with.
const (
	// OnlyRegular is for a file that the caller has not named, in a directory that somebody
	// else may have written to: a FIFO there would block berth forever.
	OnlyRegular = unix.O_NONBLOCK
	// WaitForWriter accepts any file that can be read.
	WaitForWriter = 0
)

// MaxConfigSize is far above any real config (the largest, of pods, have some hundred KB) and
// far below what would harm the host.
const MaxConfigSize = 32 << 20
