// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"fmt"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// RaiseRlimits raises those hard limits of a process that are lower than the plan's. Init sets
// all limits later, but has no right to raise one in a user namespace. Setting them from here
// at that point would be too late, since init has changed its user by then.
func RaiseRlimits(pid int, limits []configs.Rlimit) error {
	for i, l := range limits {
		var now unix.Rlimit
		err := unix.Prlimit(pid, l.Resource, nil, &now)
		if err == nil && l.Hard > now.Max {
			err = unix.Prlimit(pid, l.Resource, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil)
		}
		if err != nil {
			return fmt.Errorf("process.rlimits[%d]: %s: prlimit soft %d, hard %d: %w ("+configs.PhraseSetRlimit+")", i, l.Name, l.Soft, l.Hard, err, l.Resource)
		}
	}
	return nil
}

// SetAffinity is sched_setaffinity(2). Pid 0 is the calling thread.
func SetAffinity(pid int, cpus configs.BitSet) error {
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETAFFINITY, uintptr(pid),
		uintptr(8*len(cpus)), uintptr(unsafe.Pointer(unsafe.SliceData(cpus))))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}
