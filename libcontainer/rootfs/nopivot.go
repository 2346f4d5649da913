// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
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
	mounts := fullKernelMounts(string(data), b.c.Rootfs.Path)
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := hideMount(mounts[i]); err != nil {
			return err
		}
	}
	// A mount that is attached to a shared one goes to all its peers: the
	// rootfs would land on the host's "/".
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/", Err: err}
	}
	return mountapi.MoveMountAt(b.root.FD(), unix.AT_FDCWD, "/")
}

// hideMount unmounts one mount, or covers it where that is not allowed (in a user
// namespace, mounts of the outside are locked).
func hideMount(path string) error {
	if err := unix.Mount("", path, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		if isMissing(err) {
			return nil // it was below one that is gone already
		}
		return &os.PathError{Op: "mount", Path: path, Err: err}
	}
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		err = unix.Mount("tmpfs", path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
			"nr_blocks=1,nr_inodes=1")
	}
	if err != nil {
		return fmt.Errorf("hide the host's %s: %w", path, err)
	}
	return nil
}

// fullKernelMounts lists, from a mountinfo file (proc_pid_mountinfo(5)), where
// procfs and sysfs are mounted whole, outside of the directory except.
func fullKernelMounts(mountinfo, except string) []string {
	var found []string
	for line := range strings.Lines(mountinfo) {
		line = strings.TrimSuffix(line, "\n")
		mount, fs, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		fstype, _, _ := strings.Cut(fs, " ")
		if fstype != "proc" && fstype != "sysfs" {
			continue
		}
		fields := strings.Fields(mount)
		if len(fields) < 5 || fields[3] != "/" {
			continue
		}
		point := unescape(fields[4])
		if point == except || strings.HasPrefix(point, except+"/") {
			continue
		}
		found = append(found, point)
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
