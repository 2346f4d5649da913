// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// CopyUp copies the content of the directory from into the new mount to, which m describes, and the
// owner, unless an option of m sets that.
//
// A directory with content is left to copier: the container is charged for the memory of the copy,
// so this process must not allocate it. An empty one, like most, needs hardly any.
func CopyUp(m *configs.Mount, from, to int, copier func(from, to *os.File, owner bool) error) error {
	ownerSet := hasOption(m.Data, "uid") || hasOption(m.Data, "gid")
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
		return copier(src, dst, !ownerSet)
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

// KeepsMode reports whether m takes its mode from the directory that it covers.
func KeepsMode(m *configs.Mount) bool { return m.Type == "tmpfs" && !hasOption(m.Data, "mode") }

// Chmod sets the mode of the root directory of the mount tree.
func Chmod(tree int, mode uint32) error {
	dir, err := openDirectory(tree)
	if err != nil {
		return err
	}
	err = unix.Fchmod(int(dir.Fd()), mode)
	return errors.Join(os.NewSyscallError("fchmod", err), dir.Close())
}

func hasOption(data []string, key string) bool {
	for _, o := range data {
		if k, _, _ := strings.Cut(o, "="); k == key {
			return true
		}
	}
	return false
}
