// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"golang.org/x/sys/unix"
)

// GiveStreams makes those standard streams the process's that are pipes without a name, so
// that a user other than the caller can open /dev/stdout again. All else is the caller's
// and stays as it is: a file, a terminal or a device of the host would be the container's
// for good, and its content with it. (A socket cannot be opened again by anybody.)
//
// uid is the user as the host sees him. Who may not give files away leaves it to init, which
// is root in the container's user namespace: the result says which ones.
func GiveStreams(streams [StandardStreams]*os.File, uid uint32, undo *steps.Undo) (left [StandardStreams]bool, err error) {
	for n, f := range streams {
		if f == nil {
			continue
		}
		owner, anonymous, err := pipeOwner(f)
		if err != nil {
			return left, fmt.Errorf("standard stream %d: %w", n, err)
		}
		if !anonymous || owner == uid && !userns.Unprivileged() {
			continue
		}
		if userns.Unprivileged() {
			left[n] = true
			continue
		}
		err = unix.Fchown(int(f.Fd()), int(uid), -1)
		switch {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EINVAL):
			// This root is one of a user namespace: it has no rights over what comes from
			// outside of it, or not that id. Of the latter init complains.
		case err != nil:
			return left, fmt.Errorf("standard stream %d: fchown: %w", n, err)
		default:
			undo.Push("give a pipe back", func() error {
				return os.NewSyscallError("fchown", unix.Fchown(int(f.Fd()), int(owner), -1))
			})
		}
	}
	return left, nil
}

// pipeOwner says whether a file is a pipe that has no name in any file system, and whose.
func pipeOwner(f *os.File) (uid uint32, anonymous bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, false, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return 0, false, nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return 0, false, os.NewSyscallError("fstatfs", err)
	}
	return st.Uid, fs.Type == unix.PIPEFS_MAGIC, nil
}

// StandardStreams is how many of the descriptors are init's streams.
const StandardStreams = 3
