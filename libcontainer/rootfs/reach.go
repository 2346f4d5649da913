// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// The root of a user namespace has no rights over files whose owners are not mapped: it may
// not enter a directory of theirs that is closed to others, nor make anything in one. The
// runtime may. So where the kernel says EACCES to the builder, the builder asks the runtime
// for a descriptor (Options.Reach), which opens or makes the file by the same descriptor of
// the root, and the builder goes on with that.

// ReachKind says what a Reach is for.
type ReachKind string

// The kinds of Reach.
const (
	ReachOpen ReachKind = "open" // open what is there
	ReachDir  ReachKind = "dir"  // open a directory, or make it and its parents
	ReachFile ReachKind = "file" // open a file, or make an empty one and its parents
	ReachLink ReachKind = "link" // make a symbolic link, whose directory is there
)

// Reach is a file of the root file system that the builder may not open or make.
type Reach struct {
	Kind ReachKind
	// Path is in the root, absolute.
	Path string
	// NoFollow opens a symbolic link that the last component of Path is. With Strict one
	// anywhere on the way is an error.
	NoFollow bool `json:",omitempty"`
	Strict   bool `json:",omitempty"`
	// Target is that of a link.
	Target string `json:",omitempty"`
}

// Do opens or makes the file with the rights of the calling thread, whose umask is to be 0.
// The descriptor (O_PATH, or as inroot.OpenOrCreate says) is the caller's; a link has none (-1).
//
// Those rights must not make something where the path does not lead by its own names: in a
// volume, whoever writes to another one could have a directory made by a symbolic link. So
// links are followed only as long as they stay in the mount that the root is.
func (r *Reach) Do(root int) (int, error) {
	dir := inroot.FromFD(root) // the descriptor stays the caller's
	fd, err := r.do(dir, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ELOOP) && !r.Strict {
		fd, err = r.do(dir, unix.RESOLVE_NO_XDEV)
		if errors.Is(err, unix.EXDEV) {
			err = fmt.Errorf("%w (a symbolic link in it leads to a mount that is closed to the container's root)", err)
		}
	}
	return fd, err
}

func (r *Reach) do(root *inroot.Root, resolve uint64) (int, error) {
	switch r.Kind {
	case ReachOpen:
		flags := unix.O_PATH
		if r.NoFollow {
			flags |= unix.O_NOFOLLOW
		}
		return root.Open(r.Path, flags, resolve)
	case ReachDir:
		return root.MkdirAll(r.Path, dirMode, resolve)
	case ReachFile:
		return root.OpenOrCreate(r.Path, fileMode, dirMode, resolve)
	case ReachLink:
		dir, err := root.Open(path.Dir(r.Path), unix.O_PATH|unix.O_DIRECTORY, resolve)
		if err != nil {
			return -1, err
		}
		defer unix.Close(dir)
		if err := unix.Symlinkat(r.Target, dir, path.Base(r.Path)); err != nil {
			return -1, &os.PathError{Op: "symlinkat", Path: r.Path, Err: err}
		}
		return -1, nil
	}
	return -1, fmt.Errorf("nothing that can be reached: %q", r.Kind)
}

// rootDir is the root that the builder works in: an inroot.Root whose files are reached by
// Options.Reach where the builder has no right to them.
type rootDir struct {
	*inroot.Root
	reach func(root int, r *Reach) (int, error)
}

// ask has the runtime do what failed with err; err stays where that is no matter of rights,
// or nobody has more.
func (d *rootDir) ask(err error, r *Reach) (int, error) {
	if d.reach == nil || !errors.Is(err, unix.EACCES) {
		return -1, err
	}
	fd, err := d.reach(d.FD(), r)
	if errors.Is(err, unix.EOVERFLOW) && (r.Kind == ReachDir || r.Kind == ReachFile) {
		return d.makeOwn(r)
	}
	return fd, err
}

// makeOwn makes the last component of r with the builder's rights, in a directory that only
// the runtime can reach. It is in a file system that the builder has mounted, where the
// runtime's own user has no id (EOVERFLOW).
func (d *rootDir) makeOwn(r *Reach) (int, error) {
	parent, err := d.reach(d.FD(), &Reach{Kind: ReachOpen, Path: path.Dir(r.Path), Strict: r.Strict})
	if err != nil {
		return -1, err
	}
	dir := inroot.FromFD(parent)
	defer dir.Close()
	if r.Kind == ReachFile {
		return dir.OpenOrCreate(path.Base(r.Path), fileMode, dirMode, unix.RESOLVE_NO_SYMLINKS)
	}
	return dir.MkdirAll(path.Base(r.Path), dirMode, unix.RESOLVE_NO_SYMLINKS)
}

// Open is inroot.Root.Open. Only an O_PATH descriptor can come from outside: what is in a file
// stays a matter of the builder's rights.
func (d *rootDir) Open(name string, flags int, resolve uint64) (int, error) {
	fd, err := d.Root.Open(name, flags, resolve)
	if err == nil || flags&unix.O_PATH == 0 {
		return fd, err
	}
	return d.ask(err, &Reach{
		Kind: ReachOpen, Path: name,
		NoFollow: flags&unix.O_NOFOLLOW != 0, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0,
	})
}

// MkdirAll is inroot.Root.MkdirAll, with dirMode.
func (d *rootDir) MkdirAll(name string, resolve uint64) (int, error) {
	fd, err := d.Root.MkdirAll(name, dirMode, resolve)
	if err == nil {
		return fd, nil
	}
	return d.ask(err, &Reach{Kind: ReachDir, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// Parent is inroot.Root.Parent.
func (d *rootDir) Parent(name string) (int, string, error) {
	fd, base, err := d.Root.Parent(name, dirMode)
	if err == nil {
		return fd, base, nil
	}
	fd, err = d.ask(err, &Reach{Kind: ReachDir, Path: path.Dir(name)})
	return fd, path.Base(name), err
}

// OpenOrCreate is inroot.Root.OpenOrCreate, with fileMode and dirMode.
func (d *rootDir) OpenOrCreate(name string, resolve uint64) (int, error) {
	fd, err := d.Root.OpenOrCreate(name, fileMode, dirMode, resolve)
	if err == nil {
		return fd, nil
	}
	return d.ask(err, &Reach{Kind: ReachFile, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// symlink makes the link name in dir, which is the directory of the root by that path.
func (d *rootDir) symlink(target string, dir int, dirPath, name string) error {
	at := path.Join(dirPath, name)
	err := unix.Symlinkat(target, dir, name)
	if err == nil {
		return nil
	}
	_, err = d.ask(&os.PathError{Op: "symlinkat", Path: at, Err: err}, &Reach{Kind: ReachLink, Path: at, Target: target})
	return err
}
