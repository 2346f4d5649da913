// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// makeDevices makes the device nodes. The directory of each node is resolved inside the root,
// and then used by descriptor: if /dev is a symbolic link in the image, a path would lead to
// the host's (CVE-2026-41579).
func (b *Builder) makeDevices() error {
	dir, dirPath := -1, ""
	defer func() {
		if dir >= 0 {
			unix.Close(dir)
		}
	}()
	for i := range b.c.Devices {
		d := &b.c.Devices[i]
		if d.Path == configs.PtmxPath {
			continue // left to makeLinks, whatever node the config lists there
		}
		// Nearly all of them are in /dev.
		if p := path.Dir(d.Path); dir < 0 || p != dirPath {
			fd, _, err := b.root.Parent(d.Path)
			if err != nil {
				return fmt.Errorf("device %s: %w", d.Path, err)
			}
			if dir >= 0 {
				unix.Close(dir)
			}
			dir, dirPath = fd, p
		}
		if err := b.placeDevice(i, dir, path.Base(d.Path)); err != nil {
			return fmt.Errorf("device %s: %w", d.Path, err)
		}
	}
	return nil
}

// placeDevice mounts the device that was made for the builder, or makes it.
func (b *Builder) placeDevice(index, dir int, name string) error {
	d := &b.c.Devices[index]
	if index >= len(b.o.DeviceTrees) || b.o.DeviceTrees[index] == nil {
		return b.makeDevice(d, dir, name)
	}
	target, err := b.root.OpenMountFile(dir, path.Dir(d.Path), name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return b.attachDevice(int(b.o.DeviceTrees[index].Fd()), target)
}

// makeDevice makes the node name in dir. If it exists, it is accepted if it is the same;
// otherwise the spec requires an error.
func (b *Builder) makeDevice(d *configs.Device, dir int, name string) error {
	mode, rdev := nodeType(d)
	err := unix.Mknodat(dir, name, mode|d.FileMode&0o7777, int(rdev))
	switch {
	case err == nil:
		// The mode is already right: the umask is 0.
		return chownNode(d, dir, name)
	case errors.Is(err, unix.EEXIST):
		left, err := checkNode(d, dir, name)
		if left && b.c.Namespaces.Contains(configs.NewUser) {
			return b.bindDevice(d, dir, name)
		}
		return err
	case (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) && d.Type != 'p':
		return b.bindDevice(d, dir, name)
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
func (b *Builder) bindDevice(d *configs.Device, dir int, name string) error {
	tree, err := mountapi.OpenTree(d.Path, false)
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
	target, err := b.root.OpenMountFile(dir, path.Dir(d.Path), name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return b.attachDevice(tree, target)
}

// DeviceAttr holds the attributes of mounts of device nodes.
var DeviceAttr = mountapi.Attr{Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}

// attachDevice mounts the tree of a node on target.
func (b *Builder) attachDevice(tree, target int) error {
	return b.attach(tree, target, func(fd int) error {
		return b.attacher.Set(fd, false, DeviceAttr)
	})
}

// links are the symbolic links in /dev that programs expect (spec: config-linux.md, "Default
// Devices" and "/dev symbolic links").
var links = [...]struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// makeLinks makes the links in /dev. What the image has in place of one stays, except for ptmx:
// a device node there would open the host's pty instance.
func (b *Builder) makeLinks() error {
	dir, err := b.root.MkdirAll("/dev", 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for _, l := range links {
		if err := b.makeLink(dir, l.name, l.target); err != nil {
			return err
		}
	}
	if unix.Access("/proc/kcore", unix.F_OK) == nil {
		if err := b.makeLink(dir, "core", "/proc/kcore"); err != nil {
			return err
		}
	}
	const ptmx = "pts/ptmx"
	err = b.root.Symlink(ptmx, dir, "/dev", "ptmx")
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := unix.Unlinkat(dir, "ptmx", 0); err != nil {
		return &os.PathError{Op: "unlinkat", Path: "/dev/ptmx", Err: err}
	}
	return b.root.Symlink(ptmx, dir, "/dev", "ptmx")
}

func (b *Builder) makeLink(dir int, name, target string) error {
	return skipExists(b.root.Symlink(target, dir, "/dev", name))
}

func skipExists(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
