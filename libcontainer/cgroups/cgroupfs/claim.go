// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Claim identifies a container's cgroup in its state. The path is not enough, because another
// container may have used it before, or use it later. A claim is the inode number of the
// directory, which is unique in the hierarchy (64 bits, since Linux 5.5), and a mark if the
// cgroup existed before the container, empty: then it is not removed with the container.
type Claim string

const foundMark = " found"

// claimToNone is the claim if a container has no cgroup: criu creates none in a hierarchy that
// is not in the checkpoint. No inode has this number.
const claimToNone Claim = "0"

// Claim returns the claim of a container to d. found means that d existed before.
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

// Made returns the claim to the same cgroup without the mark, as if the container had created
// it.
func (c Claim) Made() Claim { return Claim(strings.TrimSuffix(string(c), foundMark)) }

// Found reports whether the cgroup existed before the container.
func (c Claim) Found() bool { return strings.HasSuffix(string(c), foundMark) }

// Holds reports whether the claim is to the cgroup at d. It is true if d does not exist, and
// for the empty claim, which is in states of earlier versions.
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

// Absent reports whether d certainly does not exist.
func (d Dir) Absent() bool {
	_, err := d.inode()
	return errors.Is(err, unix.ENOENT)
}
