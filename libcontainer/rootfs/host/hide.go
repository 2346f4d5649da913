// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"golang.org/x/sys/unix"
)

// Hide removes the procfs and sysfs mounts that show everything, which nothing in a container may
// see unmasked. table is the mountinfo of the calling thread, whose mount namespace is the
// container's. Mounts in the directory except stay.
//
// shared says that the mounts may still be shared with the host.
func Hide(table, except string, shared bool) error {
	mounts := outsideMounts(table, except)
	if shared {
		// A mount or unmount on a shared mount propagates to all its peers: the host would lose
		// its /proc and have the rootfs on "/".
		for _, m := range mounts {
			if err := unix.Mount("", m.point, "", unix.MS_SLAVE, ""); err != nil && !inroot.IsMissing(err) {
				return &os.PathError{Op: "mount", Path: m.point, Err: err}
			}
		}
	}
	// Mounts on top of others come after them in the list.
	for _, m := range slices.Backward(mounts) {
		if !m.kernel {
			continue
		}
		if err := hideMount(m.point); err != nil {
			return err
		}
	}
	return nil
}

// hideMount unmounts one mount, or covers it if unmounting is not allowed (in a user namespace,
// mounts from outside are locked).
func hideMount(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if inroot.IsMissing(err) {
		return nil // something is mounted on a directory above it
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
	// kernel is set if it shows the whole of a procfs or sysfs.
	kernel bool
}

// outsideMounts lists the mounts in a table that are not in the directory except.
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
