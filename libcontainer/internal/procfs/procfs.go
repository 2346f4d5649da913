// SPDX-License-Identifier: Apache-2.0

// Package procfs gives access to procfs files that are genuine.
//
// An attacker who can make the runtime write to a procfs file of his choice, or to a file that
// only looks like one, defeats labels, sysctls and masks (CVE-2019-16884, CVE-2025-52881). So a
// [Handle] is a procfs root whose magic and inode number have been checked, and nothing below
// it is opened across a mount or through a symbolic link.
package procfs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// rootInode is PROC_ROOT_INO in the kernel: the root of each procfs has it, and no other file
// in procfs.
const rootInode = 1

// Handle is the root directory of a procfs. Only one thread may use it at a time.
type Handle struct{ fd int }

// Host opens the procfs on /proc, as the calling thread sees it.
func Host() (*Handle, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	return FromFD(fd)
}

// Private mounts a procfs for the calling process's pid namespace that nobody else can reach.
// Closing it costs an RCU grace period.
func Private() (*Handle, error) {
	c, err := mountapi.NewContext("proc")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Create(); err != nil {
		return nil, err
	}
	fd, err := c.Mount(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, err
	}
	return FromFD(fd)
}

// FromFD checks that fd is the root of a procfs. It takes fd over, even on error.
func FromFD(fd int) (*Handle, error) {
	err := checkRoot(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &Handle{fd: fd}, nil
}

func checkRoot(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	is, err := Is(fd)
	if err != nil {
		return err
	}
	if !is || st.Ino != rootInode {
		return errors.New("not the root of a procfs")
	}
	return nil
}

// Is reports whether fd is a file in a procfs.
func Is(fd int) (bool, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false, os.NewSyscallError("fstatfs", err)
	}
	return fs.Type == unix.PROC_SUPER_MAGIC, nil
}

// IsRoot reports whether fd is the root directory of a procfs.
func IsRoot(fd int) bool { return checkRoot(fd) == nil }

// Close releases the handle.
func (h *Handle) Close() error { return unix.Close(h.fd) }

// Write writes value to the regular file name below the root ("sys/net/…") with one write(2),
// after checking that the file belongs to this procfs.
func (h *Handle) Write(name, value string) error {
	fd, err := h.openRegular(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	if err != nil {
		err = &os.PathError{Op: "write", Path: "/proc/" + name, Err: err}
	}
	return errors.Join(err, unix.Close(fd))
}

// Explain adds to the error for a file below the root that does not exist which one may have been
// meant.
func (h *Handle) Explain(name string, err error) error {
	return access.ExplainMissingAt(h.fd, name, "/proc", err)
}

// ErrUnopened marks an error of Write that occurred before anything was written, so that
// another handle may be tried.
var ErrUnopened = errors.New("cannot be opened")

// openRegular refuses links, ".." and anything mounted on a component.
func (h *Handle) openRegular(name string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	if strings.Contains("/"+name+"/", "/../") {
		// ".." would stay in procfs, but not in the directory for which the caller has checked
		// the name.
		return -1, &os.PathError{Op: "openat2", Path: "/proc/" + name, Err: unix.EINVAL}
	}
	fd, err := unix.Openat2(h.fd, name, &how)
	if err != nil {
		return -1, unopened{&os.PathError{Op: "openat2", Path: "/proc/" + name, Err: err}}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, errors.Join(os.NewSyscallError("fstat", err), unix.Close(fd))
	}
	is, err := Is(fd)
	if err == nil && (!is || st.Mode&unix.S_IFMT != unix.S_IFREG) {
		err = &os.PathError{Op: "open", Path: "/proc/" + name, Err: errors.New("not a regular file of procfs")}
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// unopened is an error that is also ErrUnopened, but does not repeat its text.
type unopened struct{ error }

func (u unopened) Unwrap() error        { return u.error }
func (u unopened) Is(target error) bool { return target == ErrUnopened }

// ReadThread reads a file of the calling thread ("mountinfo").
func (h *Handle) ReadThread(name string) ([]byte, error) {
	fd, err := h.OpenThread(name)
	if err != nil {
		return nil, err
	}
	var out []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			err = &os.PathError{Op: "read", Path: "/proc/thread-self/" + name, Err: err}
			return nil, errors.Join(err, unix.Close(fd))
		}
		if n == 0 {
			return out, unix.Close(fd)
		}
		out = append(out, buf[:n]...)
	}
}

// OpenThread opens a file of the calling thread ("ns/mnt") for reading. The caller owns the
// descriptor.
func (h *Handle) OpenThread(name string) (int, error) {
	fd, err := unix.Openat(h.fd, "thread-self/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "openat", Path: "/proc/thread-self/" + name, Err: err}
	}
	return fd, nil
}

// Reopen opens the file that fd (O_PATH) refers to with other flags.
func (h *Handle) Reopen(fd, flags int) (int, error) {
	// The magic link is the kernel's own, of this thread. It is followed on purpose, since it
	// leads to fd's file without any path.
	out, err := unix.Openat(h.fd, fdLink(fd), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("openat", err)
	}
	return out, nil
}

// WithPath calls f with a path that leads to the file of fd, for system calls that only take a
// path. The path is relative to the root of the procfs, which becomes the calling thread's
// working directory. So it works in every mount namespace and below every root.
func (h *Handle) WithPath(fd int, f func(path string) error) error {
	if err := unix.Fchdir(h.fd); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	return f(fdLink(fd))
}

func fdLink(fd int) string { return "thread-self/fd/" + strconv.Itoa(fd) }
