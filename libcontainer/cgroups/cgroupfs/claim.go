// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Claim says which cgroup is a container's, for its state: the path alone does not, since
// another container may have it before, or after. It is the inode number of the
// directory, which the kernel gives to no other one of the hierarchy (64 bits wide, since
// Linux 5.5), and a mark when the cgroup was there, empty, before the container: then it
// is not the container's to remove.
type Claim string

const foundMark = " found"

// claimToNone is the claim where a container has no cgroup, as criu makes none in a
// hierarchy that a checkpoint does not know. No inode has the number.
const claimToNone Claim = "0"

// Claim is the claim of a container to d, which it has made, or found.
func (d Dir) Claim(found bool) (Claim, error) {
	inode, err := d.inode()
	if errors.Is(err, unix.ENOENT) {
		return claimToNone, nil
	}
	if err != nil {
		return "", err
	}
	c := Claim(strconv.FormatUint(inode, 10))
	if found {
		c += foundMark
	}
	return c, nil
}

// Made is the claim to the same cgroup as one that the container has made.
func (c Claim) Made() Claim { return Claim(strings.TrimSuffix(string(c), foundMark)) }

// Found says that the cgroup was there before the container.
func (c Claim) Found() bool { return strings.HasSuffix(string(c), foundMark) }

// Holds says whether the claim is to the cgroup at d. A missing one is nobody else's. The
// empty claim, of a state that an earlier version has written, holds.
func (c Claim) Holds(d Dir) bool {
	if c == "" {
		return true
	}
	inode, err := d.inode()
	if gone(err) {
		return true
	}
	return err == nil && strconv.FormatUint(inode, 10) == string(c.Made())
}

func (d Dir) inode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(string(d), &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: string(d), Err: err}
	}
	return st.Ino, nil
}

// Absent says that there is nothing at d, for certain.
func (d Dir) Absent() bool {
	_, err := d.inode()
	return errors.Is(err, unix.ENOENT)
}
