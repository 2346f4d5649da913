// SPDX-License-Identifier: Apache-2.0

package inroot

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"golang.org/x/sys/unix"
)

// maxLinks is the kernel's own limit (path_resolution(7)).
const maxLinks = 40

// walk follows a path one component at a time and creates missing directories. It is slow, and
// only used after a single openat2(2) has returned ENOENT.
type walk struct {
	root int
	// at is the path of dir from the root, without symbolic links, so that ".." can be applied
	// to it as text.
	at string
	// dir is an O_PATH descriptor that the walk owns.
	dir    int
	rest   []string
	mode   uint32
	links  int
	strict bool
	// cross is RESOLVE_NO_XDEV if no mount may be crossed.
	cross uint64
}

// newWalk returns a walk that creates directories with mode and follows the rules in resolve.
func newWalk(root int, mode uint32, resolve uint64) *walk {
	return &walk{
		root: root, dir: -1, mode: mode,
		strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0,
		cross:  resolve & unix.RESOLVE_NO_XDEV,
	}
}

// start puts the walk at the root, with name ahead of it.
func (w *walk) start(name string) error {
	if strings.IndexByte(name, 0) >= 0 {
		return &os.PathError{Op: "openat2", Path: name, Err: unix.EINVAL}
	}
	w.rest = split(name)
	return w.jump("/")
}

// jump goes to an existing directory by its path without links.
func (w *walk) jump(at string) error {
	fd, err := openat2(w.root, at, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS|w.cross)
	if err != nil {
		return &os.PathError{Op: "openat2", Path: at, Err: err}
	}
	w.set(fd, at)
	return nil
}

func (w *walk) set(fd int, at string) {
	_ = w.close() // an O_PATH descriptor: closing it cannot lose anything
	w.dir, w.at = fd, at
}

func (w *walk) close() error {
	if w.dir < 0 {
		return nil
	}
	fd := w.dir
	w.dir = -1
	return unix.Close(fd)
}

// descend handles the next component: a directory, one to create, "..", or a link, whose target
// then replaces it in rest.
func (w *walk) descend() error {
	name := w.rest[0]
	if name == ".." {
		w.rest = w.rest[1:]
		return w.jump(path.Dir(w.at))
	}
	at := path.Join(w.at, name)
	fd, err := w.openDir(name)
	if errors.Is(err, unix.ENOENT) {
		if err := unix.Mkdirat(w.dir, name, w.mode); err != nil && !errors.Is(err, unix.EEXIST) {
			return &os.PathError{Op: "mkdirat", Path: at, Err: access.ExplainAt(w.dir, ".", w.at, err)}
		}
		fd, err = w.openDir(name)
	}
	switch {
	case err == nil:
		w.rest = w.rest[1:]
		w.set(fd, at)
		return nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		isLink, lerr := w.follow(name)
		if lerr != nil {
			return lerr
		}
		if isLink {
			return nil
		}
	}
	return &os.PathError{Op: "openat2", Path: at, Err: access.ExplainAt(w.root, at, "/", err)}
}

// openDir opens one entry of dir, which must not be a link. It crosses mount points.
func (w *walk) openDir(name string) (int, error) {
	return openat2(w.dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|w.cross)
}

// follow replaces the first component of rest, a link, by its target. It returns false if the
// component is not a link.
func (w *walk) follow(name string) (bool, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(w.dir, name, buf)
	if errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	at := path.Join(w.at, name)
	if err != nil {
		return false, &os.PathError{Op: "readlinkat", Path: at, Err: err}
	}
	w.links++
	if w.strict || w.links > maxLinks {
		return false, &os.PathError{Op: "openat2", Path: at, Err: unix.ELOOP}
	}
	target := string(buf[:n])
	w.rest = append(split(target), w.rest[1:]...)
	if strings.HasPrefix(target, "/") {
		return true, w.jump("/")
	}
	return true, nil
}

// create walks to the end and creates the last component as a regular file, or opens one that
// somebody else has just created.
func (w *walk) create(mode uint32) (int, error) {
	for {
		for len(w.rest) > 1 || len(w.rest) == 1 && w.rest[0] == ".." {
			if err := w.descend(); err != nil {
				return -1, err
			}
		}
		if len(w.rest) == 0 {
			return -1, &os.PathError{Op: "openat2", Path: w.at, Err: unix.EISDIR}
		}
		name := w.rest[0]
		at := path.Join(w.at, name)
		fd, err := openat2(w.dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW, mode,
			unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|w.cross)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return -1, &os.PathError{Op: "openat2", Path: at, Err: access.ExplainAt(w.dir, ".", w.at, err)}
		}
		isLink, err := w.follow(name)
		if err != nil {
			return -1, err
		}
		if isLink {
			continue
		}
		fd, err = openat2(w.dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|w.cross)
		if err != nil {
			return -1, &os.PathError{Op: "openat2", Path: at, Err: err}
		}
		return fd, nil
	}
}
