// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Made lists the directories that a container's creation has made, in that
// order, so that a failure can take them back.
type Made []Dir

// Make makes the cgroup d below root, an existing directory, with whatever
// parents are missing, and notes in made each one that it made. Existed says
// that d was there already.
//
// The parents are tried last: they exist but for the first container of an
// engine, and then a single mkdir(2) does it all.
func Make(root, d Dir, made *Made) (existed bool, err error) {
	existed, err = made.mkdir(d)
	if err == nil || !errors.Is(err, unix.ENOENT) || !d.below(root) {
		return existed, err
	}
	for i := len(root) + 1; i < len(d); i++ {
		if d[i] != '/' {
			continue
		}
		if _, err := made.mkdir(d[:i]); err != nil {
			return false, err
		}
	}
	return made.mkdir(d)
}

func (m *Made) mkdir(d Dir) (existed bool, err error) {
	switch err := unix.Mkdir(string(d), 0o755); {
	case err == nil:
		*m = append(*m, d)
		return false, nil
	case errors.Is(err, unix.EEXIST):
		return true, nil
	default:
		return false, &fs.PathError{Op: "mkdir", Path: string(d), Err: err}
	}
}

// Undo removes what was made, the last one first.
func (m *Made) Undo() error {
	var errs []error
	for i := len(*m) - 1; i >= 0; i-- {
		d := string((*m)[i])
		if err := unix.Rmdir(d); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, &fs.PathError{Op: "rmdir", Path: d, Err: err})
		}
	}
	*m = nil
	return errors.Join(errs...)
}

// below says whether d is strictly below root.
func (d Dir) below(root Dir) bool {
	return len(d) > len(root)+1 && strings.HasPrefix(string(d), string(root)) && d[len(root)] == '/'
}

// Parent is the directory above d.
func (d Dir) Parent() Dir {
	return d[:strings.LastIndexByte(string(d), '/')]
}
