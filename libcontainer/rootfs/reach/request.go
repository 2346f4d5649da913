// SPDX-License-Identifier: Apache-2.0

// Package reach opens and creates files in the root file system that a builder makes.
//
// The root of a user namespace has no rights over files whose owners are not mapped: it may not
// enter their directories if those are closed to others, nor create anything there. The runtime
// may. So if the builder gets EACCES, it asks the runtime for a descriptor ([Request]). The
// runtime opens or creates the file from the same descriptor of the root, and the builder
// continues with the result.
package reach

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// fileMode is the mode of the empty files that are created to bind something on.
const fileMode = 0o644

// dirMode is the mode of directories that the builder creates.
const dirMode = 0o755

// Kind says what a Request is for.
type Kind string

// The kinds of requests.
const (
	Open Kind = "open" // open an existing file
	Dir  Kind = "dir"  // open a directory, or create it and its parents
	File Kind = "file" // open a file, or create an empty one and its parents
	Link Kind = "link" // create a symbolic link in an existing directory
)

// Request is about a file of the root file system that the builder may not open or create.
type Request struct {
	Kind Kind
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
func (r *Request) Do(root int) (int, error) {
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

func (r *Request) do(root *inroot.Root, resolve uint64) (int, error) {
	switch r.Kind {
	case Open:
		flags := unix.O_PATH
		if r.NoFollow {
			flags |= unix.O_NOFOLLOW
		}
		return root.Open(r.Path, flags, resolve)
	case Dir:
		return root.MkdirAll(r.Path, dirMode, resolve)
	case File:
		return root.OpenOrCreate(r.Path, fileMode, dirMode, resolve)
	case Link:
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
