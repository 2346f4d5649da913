// SPDX-License-Identifier: Apache-2.0

// Package target finds or makes the files that mounts are attached on, and says which of them may
// be hidden.
package target

import (
	"errors"
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// Target is a file that a mount is going to be attached on. Its FD was resolved once, inside the
// root. The path is not used any more.
type Target struct {
	FD int
	mountapi.FileID
	// Existed is set if it was not created for the mount.
	Existed bool
}

// ErrRoot means that a mount would hide the root file system.
var ErrRoot = errors.New("the destination is the root of the container")

// Open opens the destination of m in root, whose id is id. If there is nothing, it creates a
// directory or, without dir, an empty file. It refuses destinations that no mount may hide.
func Open(root *reach.Root, id mountapi.FileID, m *configs.Mount, dir bool) (*Target, error) {
	var resolve uint64
	if m.Type == "proc" || m.Type == "sysfs" || strings.HasPrefix(m.Destination, "/proc/") {
		// A link would put the kernel's files where the image wants them, and something else
		// where everybody expects them (CVE-2019-19921, CVE-2023-27561).
		resolve = unix.RESOLVE_NO_SYMLINKS
	}
	t := &Target{Existed: true}
	var err error
	open := unix.O_PATH
	if m.DestNoFollow {
		open |= unix.O_NOFOLLOW
	}
	t.FD, err = root.Open(m.Destination, open, resolve)
	if errors.Is(err, unix.ENOENT) {
		t.Existed = false
		if dir {
			t.FD, err = root.MkdirAll(m.Destination, resolve)
		} else {
			t.FD, err = root.OpenOrCreate(m.Destination, resolve)
		}
	}
	if err != nil {
		return nil, err
	}
	if t.FileID, err = mountapi.Identify(t.FD); err != nil {
		return nil, errors.Join(err, unix.Close(t.FD))
	}
	if err := check(id, m, t, dir); err != nil {
		return nil, errors.Join(err, unix.Close(t.FD))
	}
	return t, nil
}

// OpenBind is Open for a bind mount of tree. It is treated as a mount of proc if it binds a procfs
// on /proc.
func OpenBind(root *reach.Root, id mountapi.FileID, m *configs.Mount, tree int, dir bool) (*Target, error) {
	if m.Destination == "/proc" && procfs.IsRoot(tree) {
		proc := *m
		proc.Type = "proc"
		m = &proc
	}
	return Open(root, id, m, dir)
}

func check(root mountapi.FileID, m *configs.Mount, t *Target, dir bool) error {
	switch {
	case t.SameFile(root):
		return ErrRoot
	// The kernel would return EINVAL. Engines recognise mistaken binds by "not a directory",
	// and explain them.
	case dir && !t.IsDir():
		if m.IsBind() {
			return fmt.Errorf("%w, but the source is one", unix.ENOTDIR)
		}
		return unix.ENOTDIR
	case !dir && t.IsDir():
		return fmt.Errorf("the source is %w, the target is one", unix.ENOTDIR)
	}
	return checkProc(m, t)
}
