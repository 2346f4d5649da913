// SPDX-License-Identifier: Apache-2.0

// Package dev makes what is in the /dev of a container besides mounts of the plan: device nodes,
// links, and the console.
package dev

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs/attach"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// Maker makes the files, in the mount namespace of the calling thread.
type Maker struct {
	Root     *reach.Root
	Attacher *attach.Attacher
	// UserNS is set for a container with a user namespace.
	UserNS bool
	// OpenHost clones the mount of a device node of the host.
	OpenHost func(path string) (int, error)
	// Trees are nodes that were made by somebody with more rights, as detached mounts by the index
	// of the device. One that is nil, or missing at the end, is made or bound.
	Trees []*os.File
}

// Nodes makes the device nodes. The directory of each node is resolved inside the root,
// and then used by descriptor: if /dev is a symbolic link in the image, a path would lead to
// the host's (CVE-2026-41579).
func (m *Maker) Nodes(devices []configs.Device) error {
	dir, dirPath := -1, ""
	defer func() {
		if dir >= 0 {
			unix.Close(dir)
		}
	}()
	for i := range devices {
		d := &devices[i]
		if d.Path == configs.PtmxPath {
			continue // left to Links, whatever node the config lists there
		}
		// Nearly all of them are in /dev.
		if p := path.Dir(d.Path); dir < 0 || p != dirPath {
			fd, _, err := m.Root.Parent(d.Path)
			if err != nil {
				return codes.With(codes.DeviceFailed, fmt.Errorf("device %s: %w", d.Path, err))
			}
			if dir >= 0 {
				unix.Close(dir)
			}
			dir, dirPath = fd, p
		}
		if err := m.placeDevice(i, d, dir, path.Base(d.Path)); err != nil {
			return codes.With(codes.DeviceFailed, fmt.Errorf("device %s: %w", d.Path, err))
		}
	}
	return nil
}

// placeDevice mounts the device that was made for the builder, or makes it.
func (m *Maker) placeDevice(index int, d *configs.Device, dir int, name string) error {
	if index >= len(m.Trees) || m.Trees[index] == nil {
		return m.makeDevice(d, dir, name)
	}
	target, err := m.Root.OpenMountFile(dir, path.Dir(d.Path), name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return m.attachDevice(int(m.Trees[index].Fd()), target)
}

// makeDevice makes the node name in dir. If it exists, it is accepted if it is the same;
// otherwise the spec requires an error.
func (m *Maker) makeDevice(d *configs.Device, dir int, name string) error {
	mode, rdev := nodeType(d)
	err := unix.Mknodat(dir, name, mode|d.FileMode&0o7777, int(rdev))
	switch {
	case err == nil:
		// The mode is already right: the umask is 0.
		return chownNode(d, dir, name)
	case errors.Is(err, unix.EEXIST):
		left, err := checkNode(d, dir, name)
		if left && m.UserNS {
			return m.bindDevice(d, dir, name)
		}
		return err
	case (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) && d.Type != 'p':
		return m.bindDevice(d, dir, name)
	}
	return os.NewSyscallError("mknodat", err)
}

// nodeType returns the S_IF* and the number of d.
func nodeType(d *configs.Device) (uint32, uint64) {
	switch d.Type {
	case 'p':
		return unix.S_IFIFO, 0
	case 'b':
		return unix.S_IFBLK, unix.Mkdev(uint32(d.Major), uint32(d.Minor))
	}
	return unix.S_IFCHR, unix.Mkdev(uint32(d.Major), uint32(d.Minor))
}

func isNode(st *unix.Stat_t, d *configs.Device) bool {
	mode, rdev := nodeType(d)
	return st.Mode&unix.S_IFMT == mode && (d.Type == 'p' || uint64(st.Rdev) == rdev)
}

// chownNode sets the owner of the node that was just made. A process that shares the directory
// may have put another file there, whose owner must not change.
func chownNode(d *configs.Device, dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if !isNode(&st, d) {
		return errors.New("a different file has taken its place")
	}
	return os.NewSyscallError("fchownat", unix.Fchownat(fd, "", int(d.UID), int(d.GID), unix.AT_EMPTY_PATH))
}

// checkNode refuses a file that is not a node of d. left reports whether it is an empty file,
// such as bindDevice leaves in a root file system.
func checkNode(d *configs.Device, dir int, name string) (left bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, os.NewSyscallError("fstatat", err)
	}
	if !isNode(&st, d) {
		return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0 && d.Type != 'p', errors.New("a different file exists there")
	}
	return false, nil
}

// bindDevice binds the host's node. It is used where mknod(2) is forbidden, in a user namespace
// or by an outer device cgroup.
func (m *Maker) bindDevice(d *configs.Device, dir int, name string) error {
	tree, err := m.OpenHost(d.Path)
	if err != nil {
		return fmt.Errorf("mknodat: %w, and of the host: %w", unix.EPERM, err)
	}
	defer unix.Close(tree)
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if !isNode(&st, d) {
		return fmt.Errorf("mknodat: %w, and the host has a different device there", unix.EPERM)
	}
	target, err := m.Root.OpenMountFile(dir, path.Dir(d.Path), name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return m.attachDevice(tree, target)
}

// MountAttr holds the attributes of mounts of device nodes.
var MountAttr = mountapi.Attr{Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}

// attachDevice mounts the tree of a node on target.
func (m *Maker) attachDevice(tree, target int) error {
	return m.Attacher.Attach(tree, target, func(fd int) error {
		return m.Attacher.Set(fd, false, MountAttr)
	})
}
