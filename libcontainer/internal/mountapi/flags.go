// SPDX-License-Identifier: Apache-2.0

package mountapi

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// boolAttrs pairs the MS_* flags of mount(2) that belong to a single mount with the bits of
// mount_setattr(2) and statfs(2). The access time modes are not here: they are one value, not
// bits.
var boolAttrs = [...]struct {
	ms   uintptr
	attr uint64
	st   int64
}{
	{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, unix.ST_RDONLY},
	{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, unix.ST_NOSUID},
	{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, unix.ST_NODEV},
	{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, unix.ST_NOEXEC},
	{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, unix.ST_NODIRATIME},
	{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, stNoSymFollow},
}

// stNoSymFollow is ST_NOSYMFOLLOW in the kernel's statfs.h (Linux 5.10).
const stNoSymFollow = 0x2000

// atimeFlags are the MS_* of the access time modes.
const atimeFlags = unix.MS_NOATIME | unix.MS_RELATIME | unix.MS_STRICTATIME

// AttrOf translates MS_* flags to set, and ones to clear, into an Attr. Flags of the superblock
// are left out, and so is an atime mode to clear: there is no other one to set instead.
func AttrOf(set, cleared uintptr) Attr {
	var a Attr
	for _, f := range boolAttrs {
		switch {
		case set&f.ms != 0:
			a.Set |= f.attr
		case cleared&f.ms != 0:
			a.Clear |= f.attr
		}
	}
	// The order of precedence is that of mount(2) in the kernel.
	switch {
	case set&unix.MS_STRICTATIME != 0:
		a.Set |= unix.MOUNT_ATTR_STRICTATIME
		a.Clear |= unix.MOUNT_ATTR__ATIME
	case set&unix.MS_NOATIME != 0:
		a.Set |= unix.MOUNT_ATTR_NOATIME
		a.Clear |= unix.MOUNT_ATTR__ATIME
	case set&unix.MS_RELATIME != 0:
		a.Clear |= unix.MOUNT_ATTR__ATIME // relatime is the value 0
	}
	return a
}

// mountFlags are the MS_* that options set and clear, including those of the superblock.
const mountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS |
	unix.MS_MANDLOCK | unix.MS_DIRSYNC | unix.MS_NOSYMFOLLOW | unix.MS_NOATIME | unix.MS_NODIRATIME |
	unix.MS_SILENT | unix.MS_RELATIME | unix.MS_I_VERSION | unix.MS_STRICTATIME | unix.MS_LAZYTIME

// NamesFlags reports whether options have set or cleared any flag.
func NamesFlags(set, cleared uintptr) bool { return (set|cleared)&mountFlags != 0 }

// ReplaceAttr is AttrOf for an existing mount. It clears every flag that is not in set, as
// MS_REMOUNT of mount(2) does. Access times are an exception: if set does not contain any of
// their modes, they stay as they are.
func ReplaceAttr(set uintptr) Attr {
	a := AttrOf(set, 0)
	for _, f := range boolAttrs {
		if set&f.ms == 0 && f.ms != unix.MS_NODIRATIME {
			a.Clear |= f.attr
		}
	}
	if set&(atimeFlags|unix.MS_NODIRATIME) != 0 {
		a.Clear |= unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME&^a.Set
	}
	return a
}

// lockable are the flags that the kernel may have locked for a user namespace
// (mount_namespaces(7)). Their bits are the same for mount(2), statfs(2) and mount_setattr(2).
const lockable = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// KeepLocked changes a so that it keeps those flags of fd's mount that may be locked. It
// returns EPERM if cleared, the flags that options ask to clear, contains one of them.
func KeepLocked(fd int, cleared uintptr, a Attr) (Attr, error) {
	present, err := statfsFlags(fd)
	if err != nil {
		return a, err
	}
	if present &= lockable; present&cleared != 0 {
		return a, fmt.Errorf("the options clear a flag of the mount that a user namespace has locked: %w", unix.EPERM)
	}
	a.Clear &^= uint64(present)
	return a, nil
}

// statfsFlags returns the MS_* flags that the mount of fd has now, including the atime mode.
func statfsFlags(fd int) (uintptr, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	return msOfStatfs(int64(st.Flags)), nil
}

func msOfStatfs(st int64) uintptr {
	var ms uintptr
	for _, f := range boolAttrs {
		if st&f.st != 0 {
			ms |= f.ms
		}
	}
	switch {
	case st&unix.ST_NOATIME != 0:
		ms |= unix.MS_NOATIME
	case st&unix.ST_RELATIME != 0:
		ms |= unix.MS_RELATIME
	default:
		ms |= unix.MS_STRICTATIME
	}
	return ms
}

// Remount changes an attached mount with mount(2). It is for kernels before Linux 5.12, which
// do not have mount_setattr(2). path must lead to the root of the mount that fd refers to,
// whatever anybody changes in the meantime.
//
// mount(2) replaces all flags at once. So the present flags are read first and kept unless a
// clears them: the kernel refuses to drop a locked one.
func Remount(path string, fd int, recursive bool, a Attr) error {
	if a.Set != 0 || a.Clear != 0 {
		if recursive {
			return os.NewSyscallError("mount_setattr", unix.ENOSYS)
		}
		present, err := statfsFlags(fd)
		if err != nil {
			return err
		}
		flags := applied(present, a) | unix.MS_REMOUNT | unix.MS_BIND
		if err := unix.Mount("", path, "", flags, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
	}
	if a.Propagation == 0 {
		return nil
	}
	flags := uintptr(a.Propagation)
	if recursive {
		flags |= unix.MS_REC
	}
	return os.NewSyscallError("mount", unix.Mount("", path, "", flags, ""))
}

// applied returns ms changed by a.
func applied(ms uintptr, a Attr) uintptr {
	for _, f := range boolAttrs {
		if a.Clear&f.attr != 0 {
			ms &^= f.ms
		}
		if a.Set&f.attr != 0 {
			ms |= f.ms
		}
	}
	if a.Clear&unix.MOUNT_ATTR__ATIME == 0 {
		return ms
	}
	ms &^= atimeFlags
	switch {
	case a.Set&unix.MOUNT_ATTR_NOATIME != 0:
		return ms | unix.MS_NOATIME
	case a.Set&unix.MOUNT_ATTR_STRICTATIME != 0:
		return ms | unix.MS_STRICTATIME
	}
	return ms | unix.MS_RELATIME
}

// FullAtime widens the atime bits of a: the kernel requires all of them to be cleared if any is
// set or cleared.
func FullAtime(a Attr) Attr {
	if (a.Set|a.Clear)&unix.MOUNT_ATTR__ATIME != 0 {
		a.Clear |= unix.MOUNT_ATTR__ATIME
	}
	return a
}
