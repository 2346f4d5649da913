// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"fmt"
	"path/filepath"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	// configFile is the document's name in a bundle (runtime-spec: bundle.md).
	configFile = "config.json"
	// maxConfigSize is far above any real config (the largest are pods of some
	// hundred KB) and far below what would hurt the host.
	maxConfigSize = 32 << 20
)

// Load reads config.json from the bundle directory. process is the text of the document's
// process, for DecodeProcess to read again. A missing file, broken JSON (with line and
// column) and a wrong type (with the field) are told in one line. Unknown keys are ignored.
func Load(bundle string) (spec *specs.Spec, process string, err error) {
	document, err := readConfig(filepath.Join(bundle, configFile))
	if err != nil {
		return nil, "", err
	}
	return decodeConfig(document, configFile)
}

// LoadFile is Load from a file that the caller has named instead.
func LoadFile(path string) (spec *specs.Spec, process string, err error) {
	document, err := readDocument(path, waitForWriter)
	if err != nil {
		return nil, "", err
	}
	return decodeConfig(document, path)
}

func decodeConfig(document, name string) (spec *specs.Spec, process string, err error) {
	spec, process, err = ocispec.Spec(document)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return spec, process, nil
}

// LoadProcess reads the document of one process, as engines give it to exec: from a file,
// or from a pipe such as a shell's <(…). It waits for the writer of one. Errors are as
// Load's.
func LoadProcess(path string) (*specs.Process, error) {
	document, err := readDocument(path, waitForWriter)
	if err != nil {
		return nil, err
	}
	p, err := ocispec.Process(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// DecodeProcess reads the text that Load has returned.
func DecodeProcess(document string) (*specs.Process, error) {
	return ocispec.Process(document)
}

// readConfig reads the config.json of a bundle.
func readConfig(path string) (string, error) {
	document, err := readDocument(path, onlyRegular)
	if errors.Is(err, unix.ENOENT) {
		// Engines match this text. The path comes after it, and ENOENT's own
		// words not at all: Podman would take them for a missing program.
		return "", fmt.Errorf("JSON specification file %s not found: %s", configFile, path)
	}
	return document, err
}

// What readDocument takes: the flags to open it with.
const (
	// onlyRegular is for a file whose name the caller has not given, in a directory that
	// somebody else may have filled: a FIFO there would keep berth waiting for ever.
	onlyRegular = unix.O_NONBLOCK
	// waitForWriter takes whatever can be read.
	waitForWriter = 0
)

// readDocument makes plain system calls: os.Open would first set the runtime's
// poller up.
func readDocument(path string, flags int) (string, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|flags, 0)
	})
	if err != nil {
		return "", fmt.Errorf("open %s: %w", path, err)
	}
	return readOpened(fd, path, flags)
}

// readOpened reads and closes a file that was opened with the flags.
func readOpened(fd int, path string, flags int) (string, error) {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("fstat %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return "", fmt.Errorf("read %s: %w", path, unix.EISDIR)
	case st.Mode&unix.S_IFMT != unix.S_IFREG && flags == onlyRegular:
		return "", fmt.Errorf("%s: not a regular file", path)
	case st.Size > maxConfigSize:
		return "", fmt.Errorf("%s: %d bytes, more than the %d MiB that a config may have", path, st.Size, maxConfigSize>>20)
	}
	return readAll(fd, path, int(st.Size))
}

// readAll reads a file of about the given size, which may be wrong: files of
// procfs say 0, and a file may grow meanwhile.
func readAll(fd int, path string, size int) (string, error) {
	buf := make([]byte, 0, size+1)
	for {
		if len(buf) == cap(buf) {
			if len(buf) > maxConfigSize {
				return "", fmt.Errorf("%s: more than the %d MiB that a config may have", path, maxConfigSize>>20)
			}
			buf = append(buf, make([]byte, 4096)...)[:len(buf)]
		}
		n, err := retry(func() (int, error) { return unix.Read(fd, buf[len(buf):cap(buf)]) })
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
		if n == 0 {
			// Not copied, since nothing writes to buf from here on: the strings
			// of the spec are slices of it.
			return unsafe.String(unsafe.SliceData(buf), len(buf)), nil
		}
		buf = buf[:len(buf)+n]
	}
}

// retry repeats a system call that a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
