// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"fmt"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// RaiseRlimits raises those hard limits of a process that are lower than the plan's.
// Init, which sets them all later on, has no right to do that in a user namespace; to
// set them from here then would be too late, since init is another user by then.
func RaiseRlimits(pid int, limits []configs.Rlimit) error {
	for _, l := range limits {
		var now unix.Rlimit
		err := unix.Prlimit(pid, l.Resource, nil, &now)
		if err == nil && l.Hard > now.Max {
			err = unix.Prlimit(pid, l.Resource, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil)
		}
		if err != nil {
			return fmt.Errorf("process.rlimits: %s: prlimit soft %d, hard %d: %w ("+configs.PhraseSetRlimit+")", l.Name, l.Soft, l.Hard, err, l.Resource)
		}
	}
	return nil
}

// SetAffinity is sched_setaffinity(2), of the calling thread for pid 0.
func SetAffinity(pid int, cpus configs.BitSet) error {
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETAFFINITY, uintptr(pid),
		uintptr(8*len(cpus)), uintptr(unsafe.Pointer(unsafe.SliceData(cpus))))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}
