// SPDX-License-Identifier: Apache-2.0

// Package inroot opens and creates files below a directory that an attacker may write to, in
// such a way that nothing outside of it is ever reached: symbolic links and ".." are resolved
// relative to that directory, as with chroot(2).
//
// Checking a path and then using it would be a race: a process that shares the directory can
// replace any component by a symbolic link in between (CVE-2021-30465, CVE-2024-45310). So
// every step is one openat2(2) with RESOLVE_IN_ROOT, or a call on a single name that does not
// follow links, and the result is a file descriptor. The package creates directories and empty
// files. It does not mount anything or write any data.
package inroot

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"golang.org/x/sys/unix"
)

// Root is a directory in which paths are resolved.
type Root struct{ fd int }

// Open opens dir, a path that the caller trusts, as a root. No component of it may be a
// symbolic link.
func Open(dir string) (*Root, error) {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: dir, Err: access.Explain(dir, err)}
	}
	return &Root{fd: fd}, nil
}

// FromFD returns a Root for the descriptor of a directory, and takes it over.
func FromFD(fd int) *Root { return &Root{fd: fd} }

// FD returns the root's descriptor (O_PATH), which still belongs to the root.
func (r *Root) FD() int { return r.fd }

// Close releases the root.
func (r *Root) Close() error { return unix.Close(r.fd) }

// Open opens an existing file in the root with the flags of open(2) and O_CLOEXEC. resolve is
// added to RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, which are always set. The caller owns the
// descriptor.
func (r *Root) Open(name string, flags int, resolve uint64) (int, error) {
	fd, err := r.open(name, flags, resolve)
	if err != nil {
		return -1, r.failed(name, err)
	}
	return fd, nil
}

func (r *Root) open(name string, flags int, resolve uint64) (int, error) {
	return openat2(r.fd, name, flags, 0, resolve|unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// MkdirAll opens the directory name (O_PATH). If it or its parents are missing, it creates them
// with mode. It also creates what a dangling symbolic link points to, since images have links
// such as /etc/resolv.conf into an empty /run. With RESOLVE_NO_SYMLINKS in resolve a link is an
// error instead, and with RESOLVE_NO_XDEV so is a mount point on the path (EXDEV).
func (r *Root) MkdirAll(name string, mode uint32, resolve uint64) (int, error) {
	fd, err := r.open(name, unix.O_PATH|unix.O_DIRECTORY, resolve)
	if err == nil {
		return fd, nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return -1, r.failed(name, err)
	}
	w := newWalk(r.fd, mode, resolve)
	if err := w.start(name); err != nil {
		return -1, err
	}
	for len(w.rest) > 0 {
		if err := w.descend(); err != nil {
			return -1, errors.Join(err, w.close())
		}
	}
	return w.dir, nil
}

// Parent opens the directory that contains name (O_PATH), and returns the name of the entry in
// it. If the directory or its parents are missing, it creates them with mode. It does not look
// at the entry itself.
func (r *Root) Parent(name string, mode uint32) (int, string, error) {
	dir, base := path.Split(path.Clean("/" + name))
	if base == "" {
		return -1, "", &os.PathError{Op: "openat2", Path: name, Err: unix.EISDIR}
	}
	fd, err := r.MkdirAll(dir, mode, 0)
	return fd, base, err
}

// OpenOrCreate opens the file name, or creates it as an empty regular file, with missing
// directories created with dirMode. Links are treated as in MkdirAll. The descriptor can only
// be used for fstat(2) and as the target of a mount.
func (r *Root) OpenOrCreate(name string, mode, dirMode uint32, resolve uint64) (int, error) {
	fd, err := r.open(name, unix.O_PATH, resolve)
	if err == nil {
		return fd, nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return -1, r.failed(name, err)
	}
	w := newWalk(r.fd, dirMode, resolve)
	if err := w.start(name); err != nil {
		return -1, err
	}
	fd, err = w.create(mode)
	return fd, errors.Join(err, w.close())
}

// failed returns the error for an operation on name.
func (r *Root) failed(name string, err error) error {
	return &os.PathError{Op: "openat2", Path: name, Err: access.ExplainAt(r.fd, name, "/", err)}
}

// openat2 is openat2(2) with the flags that every call here needs. EAGAIN means that a rename
// or mount somewhere on the machine happened while ".." was resolved, so the kernel could not
// be sure to have stayed in the root. The call is then repeated, but not forever, since an
// attacker can provoke it.
func openat2(dir int, name string, flags int, mode uint32, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags) | unix.O_CLOEXEC, Mode: uint64(mode), Resolve: resolve}
	var err error
	for range 128 {
		var fd int
		fd, err = unix.Openat2(dir, name, &how)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return -1, err
		}
	}
	return -1, err
}

// split returns the components of a path, without empty ones and ".".
func split(name string) []string {
	parts := strings.Split(name, "/")
	out := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			out = append(out, p)
		}
	}
	return out
}

// IsMissing reports whether a path does not exist, or a parent is not a directory.
func IsMissing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}
