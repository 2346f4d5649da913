// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Made lists the directories that creating a container has created, in that order, so that they
// can be removed after a failure.
type Made []Dir

// Make creates the cgroup d below root, an existing directory, with all missing parents, and
// adds each new one to made. existed reports whether d existed already.
//
// The parents are created only if necessary: except for the first container of an engine they
// exist, and a single mkdir(2) is enough.
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

// Undo removes the created directories, in reverse order.
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

// below reports whether d is strictly below root.
func (d Dir) below(root Dir) bool {
	return len(d) > len(root)+1 && strings.HasPrefix(string(d), string(root)) && d[len(root)] == '/'
}

// Parent returns the directory above d.
func (d Dir) Parent() Dir {
	return d[:strings.LastIndexByte(string(d), '/')]
}
