// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// visitor is called with the descriptors of a cgroup's directory and of the directory above it,
// in which the cgroup has the given name. above is -1 for the cgroup at which the walk began.
type visitor func(dir, above int, name string) error

// walk calls visit for every cgroup below d, deepest first, and for d last. It stops at the
// first error. Cgroups that do not exist, or disappear in the meantime, are skipped.
//
// A container may create cgroups below its own, as deep as it likes. Their paths may be longer
// than the kernel accepts, and there may be more levels than this process can have descriptors
// or stack frames for. So every step is relative to the one before, there is no recursion, and
// the way back up is "..". That cannot change: in cgroup v2 a directory cannot be renamed, and
// in v1 it cannot be moved into another one.
func (d Dir) walk(visit visitor) error {
	dir, err := d.descriptor()
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	w := walker{dir: dir, top: d}
	defer func() { _ = unix.Close(w.dir) }()
	if err := w.push(""); err != nil {
		return err
	}
	for {
		name, more := w.next()
		if more {
			err = w.down(name)
		} else {
			err = w.up(visit)
		}
		if err != nil || len(w.levels) == 0 {
			return err
		}
	}
}

// walker is the state of a walk.
type walker struct {
	dir int // open
	top Dir
	// levels are the directories from the top to dir, each with the children that are still to
	// be visited. A directory is read only once, because the position in it is lost when it is
	// closed, and may be the same for another child whose name has the same hash.
	levels []level
}

type level struct {
	name     string
	children []string
}

// push adds the open directory as the next level.
func (w *walker) push(name string) error {
	children, err := subdirectories(w.dir)
	if err != nil {
		return w.wrap("readdir", name, err)
	}
	w.levels = append(w.levels, level{name, children})
	return nil
}

// next removes and returns the next child of the level.
func (w *walker) next() (name string, ok bool) {
	l := &w.levels[len(w.levels)-1]
	if len(l.children) == 0 {
		return "", false
	}
	name = l.children[len(l.children)-1]
	l.children = l.children[:len(l.children)-1]
	return name, true
}

func (w *walker) down(name string) error {
	child, err := openDirectory(w.dir, name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return w.wrap("open", name, err)
	}
	w.replace(child)
	return w.push(name)
}

func (w *walker) up(visit visitor) error {
	l := w.levels[len(w.levels)-1]
	w.levels = w.levels[:len(w.levels)-1]
	if len(w.levels) == 0 {
		return visit(w.dir, -1, l.name)
	}
	above, err := openDirectory(w.dir, "..")
	if err != nil {
		return w.wrap("open", "..", err)
	}
	err = visit(w.dir, above, l.name)
	w.replace(above)
	return err
}

func (w *walker) replace(dir int) {
	_ = unix.Close(w.dir)
	w.dir = dir
}

// wrap adds the top and the last part of the cgroup's path to an error: what is in between may
// be of any length.
func (w *walker) wrap(op, name string, err error) error {
	path := string(w.top)
	switch {
	case len(w.levels) > 1:
		path += "/…/" + name
	case len(w.levels) == 1:
		path += "/" + name
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// descriptor is like Open, but returns a bare descriptor.
func (d Dir) descriptor() (int, error) {
	dir, err := openDirectory(unix.AT_FDCWD, string(d))
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: string(d), Err: err}
	}
	return dir, nil
}

func openDirectory(dir int, name string) (int, error) {
	return sysfile.RetryEINTR(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
}

// subdirectories lists the directories in an open directory. There are none if it has been
// removed.
func subdirectories(dir int) ([]string, error) {
	// The link count of a kernfs directory is 2 plus its subdirectories: one stat saves
	// reading the dozens of files of a cgroup that has none.
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err == nil && st.Nlink == 2 {
		return nil, nil
	}
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := sysfile.RetryEINTR(func() (int, error) { return unix.ReadDirent(dir, buf) })
		if gone(err) {
			return nil, nil
		}
		if err != nil || n == 0 {
			return names, err
		}
		names = appendDirectories(names, buf[:n])
	}
}

// appendDirectories adds the names of the directories among the entries that
// getdents64(2) has put into buf.
func appendDirectories(names []string, buf []byte) []string {
	const (
		length = unsafe.Offsetof(unix.Dirent{}.Reclen)
		kind   = unsafe.Offsetof(unix.Dirent{}.Type)
		text   = unsafe.Offsetof(unix.Dirent{}.Name)
	)
	for len(buf) > int(text) {
		end := int(binary.NativeEndian.Uint16(buf[length:]))
		if end <= int(text) || end > len(buf) {
			break
		}
		name := unix.ByteSliceToString(buf[text:end])
		if buf[kind] == unix.DT_DIR && name != "." && name != ".." {
			names = append(names, name)
		}
		buf = buf[end:]
	}
	return names
}

// gone reports whether err means that the cgroup does not exist (any more): reading a file of a
// removed cgroup returns ENODEV.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}
