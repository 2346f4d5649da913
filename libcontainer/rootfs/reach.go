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

// The root of a user namespace has no rights over files whose owners are not mapped: it may not
// enter their directories if those are closed to others, nor create anything there. The runtime
// may. So if the builder gets EACCES, it asks the runtime for a descriptor (Options.Reach). The
// runtime opens or creates the file from the same descriptor of the root, and the builder
// continues with the result.

// ReachKind is the kind of a Reach.
type ReachKind string

// The kinds of Reach.
const (
	ReachOpen ReachKind = "open" // open an existing file
	ReachDir  ReachKind = "dir"  // open a directory, or create it and its parents
	ReachFile ReachKind = "file" // open a file, or create an empty one and its parents
	ReachLink ReachKind = "link" // create a symbolic link in an existing directory
)

// Reach is a file of the root file system that the builder may not open or create.
type Reach struct {
	Kind ReachKind
	// Path is absolute, inside the root.
	Path string
	// NoFollow opens the last component of Path itself if it is a symbolic link. With Strict, a
	// symbolic link anywhere in the path is an error.
	NoFollow bool `json:",omitempty"`
	Strict   bool `json:",omitempty"`
	// Target is the target of a link.
	Target string `json:",omitempty"`
}

// Do opens or creates the file with the rights of the calling thread, whose umask must be 0.
// The descriptor (O_PATH, or as described for inroot.OpenOrCreate) belongs to the caller. For a
// link there is none (-1).
//
// These rights must not create anything outside of the directories that the path itself names:
// a process that can write to one volume could use a symbolic link to have a directory created
// in another. So links are followed only as long as they stay in the mount of the root.
func (r *Reach) Do(root int) (int, error) {
	dir := inroot.FromFD(root) // the descriptor still belongs to the caller
	fd, err := r.do(dir, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ELOOP) && !r.Strict {
		fd, err = r.do(dir, unix.RESOLVE_NO_XDEV)
		if errors.Is(err, unix.EXDEV) {
			err = fmt.Errorf("%w (a symbolic link in it leads to a mount that the container's root may not enter)", err)
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

// rootDir is the root that the builder works in: an inroot.Root that uses Options.Reach for
// files that the builder has no right to.
type rootDir struct {
	*inroot.Root
	reach func(root int, r *Reach) (int, error)
}

// viaRuntime lets the runtime do what failed with err. It returns err itself if the cause was
// not a lack of rights, or nobody has more.
func (d *rootDir) viaRuntime(err error, r *Reach) (int, error) {
	if d.reach == nil || !errors.Is(err, unix.EACCES) {
		return -1, err
	}
	fd, err := d.reach(d.FD(), r)
	if errors.Is(err, unix.EOVERFLOW) && (r.Kind == ReachDir || r.Kind == ReachFile) {
		return d.makeOwn(r)
	}
	return fd, err
}

// makeOwn creates the last component of r with the builder's rights, in a directory that only
// the runtime can reach. That directory is in a file system that the builder has mounted, where
// the runtime's own user has no id (EOVERFLOW).
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

// Open is inroot.Root.Open. The runtime provides only O_PATH descriptors: access to the content
// of a file still depends on the builder's rights.
func (d *rootDir) Open(name string, flags int, resolve uint64) (int, error) {
	fd, err := d.Root.Open(name, flags, resolve)
	if err == nil || flags&unix.O_PATH == 0 {
		return fd, err
	}
	return d.viaRuntime(err, &Reach{
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
	return d.viaRuntime(err, &Reach{Kind: ReachDir, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// Parent is inroot.Root.Parent.
func (d *rootDir) Parent(name string) (int, string, error) {
	fd, base, err := d.Root.Parent(name, dirMode)
	if err == nil {
		return fd, base, nil
	}
	fd, err = d.viaRuntime(err, &Reach{Kind: ReachDir, Path: path.Dir(name)})
	return fd, path.Base(name), err
}

// OpenOrCreate is inroot.Root.OpenOrCreate, with fileMode and dirMode.
func (d *rootDir) OpenOrCreate(name string, resolve uint64) (int, error) {
	fd, err := d.Root.OpenOrCreate(name, fileMode, dirMode, resolve)
	if err == nil {
		return fd, nil
	}
	return d.viaRuntime(err, &Reach{Kind: ReachFile, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// symlink creates the link name in dir, whose path in the root is dirPath.
func (d *rootDir) symlink(target string, dir int, dirPath, name string) error {
	at := path.Join(dirPath, name)
	err := unix.Symlinkat(target, dir, name)
	if err == nil {
		return nil
	}
	_, err = d.viaRuntime(&os.PathError{Op: "symlinkat", Path: at, Err: err}, &Reach{Kind: ReachLink, Path: at, Target: target})
	return err
}
