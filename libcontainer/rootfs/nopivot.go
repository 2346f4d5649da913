// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"golang.org/x/sys/unix"
)

// moveRoot puts the rootfs on top of "/": for hosts whose root is the initial
// ramfs, which cannot be pivoted away. The host's mounts stay below it, and a
// process with CAP_SYS_CHROOT may get at them: so the procfs and sysfs that show
// everything go first, since nothing in the container may see them unmasked.
func (b *Builder) moveRoot() error {
	data, err := b.proc.ReadThread("mountinfo")
	if err != nil {
		return err
	}
	mounts := outsideMounts(string(data), b.c.Rootfs.Path)
	if b.mayReachHost() {
		// What is mounted or unmounted on a shared mount is so on all its
		// peers: the host would lose its /proc and have the rootfs on "/".
		for _, m := range mounts {
			if err := unix.Mount("", m.point, "", unix.MS_SLAVE, ""); err != nil && !isMissing(err) {
				return &os.PathError{Op: "mount", Path: m.point, Err: err}
			}
		}
	}
	// Those that are mounted on others come after them.
	for _, m := range slices.Backward(mounts) {
		if !m.kernel {
			continue
		}
		if err := hideMount(m.point); err != nil {
			return err
		}
	}
	return mountapi.MoveMountAt(b.root.FD(), unix.AT_FDCWD, "/")
}

// hideMount unmounts one mount, or covers it where that is not allowed (in a user
// namespace, mounts of the outside are locked).
func hideMount(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if isMissing(err) {
		return nil // something is mounted over a directory above it
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		err = unix.Mount("tmpfs", path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
			"nr_blocks=1,nr_inodes=1")
	}
	if err != nil {
		return fmt.Errorf("hide the host's %s: %w", path, err)
	}
	return nil
}

// outsideMount is a mount of the host.
type outsideMount struct {
	point string
	// kernel says that it shows all of a procfs or sysfs.
	kernel bool
}

// outsideMounts lists the mounts of a table that are not in the directory except.
func outsideMounts(table, except string) []outsideMount {
	var found []outsideMount
	for m := range mountinfo.All(table) {
		if m.Point == except || strings.HasPrefix(m.Point, except+"/") {
			continue
		}
		found = append(found, outsideMount{
			point:  m.Point,
			kernel: (m.Type == "proc" || m.Type == "sysfs") && m.Root == "/",
		})
	}
	return found
}
