// SPDX-License-Identifier: Apache-2.0

// Package landlock makes rulesets for the kernel's Landlock (landlock(7)). It has the system
// calls, and does not decide what to allow.
//
// It has one invariant: nothing here confines a process. A process confines itself with
// landlock_restrict_self(2).
package landlock

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileRights are the rights that apply to files other than directories.
const fileRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
	unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

// ruleNetPort is LANDLOCK_RULE_NET_PORT in linux/landlock.h.
const ruleNetPort = 2

// ABI returns the kernel's version of Landlock. ENOSYS means a kernel without Landlock, and
// EOPNOTSUPP one that was booted with it disabled.
func ABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	return int(abi), nil
}

// Ruleset denies what it handles, unless one of its rules allows it.
type Ruleset struct{ file *os.File }

// New makes a ruleset. The kernel must have the ABI for everything that is handled.
func New(fs, net, scoped uint64) (*Ruleset, error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: fs, Handled_access_net: net, Scoped: scoped}
	// The fields after Scoped are newer than any that is set.
	size := unsafe.Offsetof(attr.Scoped) + unsafe.Sizeof(attr.Scoped)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	return &Ruleset{os.NewFile(fd, "landlock ruleset")}, nil
}

// File returns the ruleset's descriptor. The caller takes it over.
func (r *Ruleset) File() *os.File { return r.file }

// Close releases the ruleset.
func (r *Ruleset) Close() error { return r.file.Close() }

// FromFile returns a Ruleset whose descriptor still belongs to the caller.
func FromFile(f *os.File) *Ruleset { return &Ruleset{f} }

// AllowPath allows those of the rights that an open file can have, at it and below. O_PATH is
// enough.
func (r *Ruleset) AllowPath(fd int, allow uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		allow &= fileRights
	}
	// The kernel refuses a rule that allows nothing.
	if allow == 0 {
		return nil
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: allow, Parent_fd: int32(fd)}
	return r.add(unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&attr))
}

// AllowPort allows rights for a TCP port.
func (r *Ruleset) AllowPort(port uint16, allow uint64) error {
	attr := struct{ allow, port uint64 }{allow, uint64(port)}
	if err := r.add(ruleNetPort, unsafe.Pointer(&attr)); err != nil {
		return fmt.Errorf("port %d: %w", port, err)
	}
	return nil
}

func (r *Ruleset) add(kind uintptr, attr unsafe.Pointer) error {
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, r.file.Fd(), kind, uintptr(attr), 0, 0, 0)
	runtime.KeepAlive(r)
	if errno != 0 {
		return os.NewSyscallError("landlock_add_rule", errno)
	}
	return nil
}
