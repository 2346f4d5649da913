// SPDX-License-Identifier: Apache-2.0

// Package inroot opens and makes files below a directory that an attacker may
// write to, in such a way that nothing outside of it is ever reached: what
// symbolic links and ".." say is taken relative to that directory, as chroot(2)
// would.
//
// A check of a path followed by its use would be a race: a process that shares
// the directory can swap any component for a symbolic link in between (CVE-2021-30465,
// CVE-2024-45310). So every step is one openat2(2) with RESOLVE_IN_ROOT, or a call on
// a single name that does not follow links, and the result is a file descriptor.
// The package makes directories and empty files; it mounts nothing and writes no
// data.
package inroot

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"golang.org/x/sys/unix"
)

// Root is a directory that paths are resolved in.
type Root struct{ fd int }

// Open opens dir, a path that the caller trusts, as a root. No component of it
// may be a symbolic link.
func Open(dir string) (*Root, error) {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: dir, Err: access.Explain(dir, err)}
	}
	return &Root{fd: fd}, nil
}

// FromFD makes a root of a directory's descriptor, and takes it over.
func FromFD(fd int) *Root { return &Root{fd: fd} }

// FD is the root's descriptor (O_PATH); it stays the root's.
func (r *Root) FD() int { return r.fd }

// Close releases the root.
func (r *Root) Close() error { return unix.Close(r.fd) }

// Open opens an existing file in the root with the flags of open(2), O_CLOEXEC
// added. resolve adds to RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, which always
// hold. The caller owns the descriptor.
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

// MkdirAll opens the directory name (O_PATH), making it and its parents with
// mode where they are missing; what a dangling symbolic link points to is made
// as well, since images have links such as /etc/resolv.conf into an empty /run.
// With RESOLVE_NO_SYMLINKS in resolve a link is an error instead, and with RESOLVE_NO_XDEV
// a mount on the way is (EXDEV).
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

// Parent opens the directory that name is an entry of (O_PATH), making it and its
// parents with mode where they are missing, and returns the entry's name in it.
// The entry itself is not looked at.
func (r *Root) Parent(name string, mode uint32) (int, string, error) {
	dir, base := path.Split(path.Clean("/" + name))
	if base == "" {
		return -1, "", &os.PathError{Op: "openat2", Path: name, Err: unix.EISDIR}
	}
	fd, err := r.MkdirAll(dir, mode, 0)
	return fd, base, err
}

// OpenOrCreate opens the file name, or makes an empty regular one of it, and
// directories with dirMode on the way. Links are treated as MkdirAll does. The
// descriptor is good for fstat(2) and as a mount's target, and for nothing else.
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

// failed is the error for what could not be done by name.
func (r *Root) failed(name string, err error) error {
	return &os.PathError{Op: "openat2", Path: name, Err: access.ExplainAt(r.fd, name, "/", err)}
}

// openat2 is openat2(2) with what every call here wants. EAGAIN says that some
// rename or mount on the machine happened while ".." was resolved, so that the
// kernel could not be sure to have stayed in the root; it is retried, though not
// for ever, since an attacker can produce it.
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

// split is the components of a path, without the empty and "." ones.
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
