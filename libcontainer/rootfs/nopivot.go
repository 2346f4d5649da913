// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/mountapi"
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

// outsideMounts lists the mounts of a mountinfo file (proc_pid_mountinfo(5)) that
// are not in the directory except.
func outsideMounts(mountinfo, except string) []outsideMount {
	var found []outsideMount
	for line := range strings.Lines(mountinfo) {
		mount, fs, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		fields := strings.Fields(mount)
		if !ok || len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		if point == except || strings.HasPrefix(point, except+"/") {
			continue
		}
		fstype, _, _ := strings.Cut(fs, " ")
		found = append(found, outsideMount{
			point:  point,
			kernel: (fstype == "proc" || fstype == "sysfs") && fields[3] == "/",
		})
	}
	return found
}

// unescape undoes the octal escapes of mountinfo (\040 is a space).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1]) && isOctal(s[i+2]) && isOctal(s[i+3]) {
			out.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
