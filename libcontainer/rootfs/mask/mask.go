// SPDX-License-Identifier: Apache-2.0

// Package mask hides files of a container from its processes.
package mask

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// Paths hides linux.maskedPaths below root, whose id is id. A path that does not exist is skipped.
// label is the SELinux label of new mounts, empty for none.
func Paths(root *reach.Root, id mountapi.FileID, paths []string, label configs.MountLabel) (err error) {
	m := masks{root: root, id: id, label: label, dir: -1, null: -1}
	defer func() {
		for _, fd := range [...]int{m.dir, m.null} {
			if fd >= 0 {
				err = errors.Join(err, unix.Close(fd))
			}
		}
	}()
	for i, p := range paths {
		if err := m.mask(p); err != nil {
			return fmt.Errorf("linux.maskedPaths[%d]: %s: %w", i, p, err)
		}
	}
	return nil
}

// masks is what hides paths: one empty directory and one /dev/null for all of them. The first
// use of the directory attaches it, and the next ones are clones of that. So there is neither a
// superblock for each path, nor a mount left over that has to be unmounted (which costs an RCU
// grace period).
type masks struct {
	root  *reach.Root
	id    mountapi.FileID
	label configs.MountLabel
	// dir is the attached empty directory, null the container's /dev/null. Both are -1 until
	// they are needed.
	dir, null int
}

func (m *masks) mask(p string) error {
	target, err := m.root.Open(p, unix.O_PATH, 0)
	if inroot.IsMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	id, err := mountapi.Identify(target)
	if err != nil {
		return err
	}
	if id.SameFile(m.id) {
		return errors.New("the root file system itself cannot be masked")
	}
	// Two names may refer to one path. A second mask would only be one more mount on top.
	if masked, err := m.isMasked(id); masked || err != nil {
		return err
	}
	if id.IsDir() {
		return m.maskDirectory(target)
	}
	return m.maskFile(target)
}

// isMasked reports whether the file is one that hides others.
func (m *masks) isMasked(id mountapi.FileID) (bool, error) {
	fd := m.null
	if id.IsDir() {
		fd = m.dir
	}
	if fd < 0 {
		return false, nil
	}
	mask, err := mountapi.Identify(fd)
	return mask.SameInode(id), err
}

// maskDirectory covers a directory with an empty one in which nothing can be created, not even
// by a process that may remount it: the file system has no room.
func (m *masks) maskDirectory(target int) error {
	if m.dir >= 0 {
		return m.cover(m.dir, target)
	}
	c, err := mountapi.NewContext("tmpfs")
	if err != nil {
		return err
	}
	defer c.Close()
	for _, o := range [...]string{"nr_blocks=1", "nr_inodes=1", "ro"} {
		if err := c.SetOption(o); err != nil {
			return err
		}
	}
	if m.label.Label != "" {
		if err := c.SetString(m.label.OptionName(), m.label.Label); err != nil {
			return err
		}
	}
	if err := c.Create(); err != nil {
		return err
	}
	dir, err := c.Mount(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	if err := mountapi.MoveMount(dir, target); err != nil {
		return errors.Join(err, unix.Close(dir))
	}
	m.dir = dir
	return nil
}

// maskFile covers a file with /dev/null.
func (m *masks) maskFile(target int) error {
	if m.null < 0 {
		fd, err := openNull(m.root)
		if err != nil {
			return err
		}
		m.null = fd
	}
	return m.cover(m.null, target)
}

// cover attaches a clone of what fd refers to.
func (m *masks) cover(fd, target int) error {
	tree, err := mountapi.CloneTree(fd, false)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return mountapi.MoveMount(tree, target)
}

// openNull opens the container's /dev/null and checks that it is the null device: if it were a
// link to a file in /proc, masking another one would mount that file writable in its place
// (CVE-2025-31133). The descriptor that was checked is then the one that is mounted.
func openNull(root *reach.Root) (int, error) {
	fd, err := root.Open("/dev/null", unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, errors.Join(os.NewSyscallError("fstat", err), unix.Close(fd))
	}
	const nullMajor, nullMinor = 1, 3
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != unix.Mkdev(nullMajor, nullMinor) {
		return -1, errors.Join(errors.New("/dev/null of the container is not the null device"), unix.Close(fd))
	}
	return fd, nil
}
