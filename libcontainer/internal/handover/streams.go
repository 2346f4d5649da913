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

// GiveStreams makes the process's user the owner of those standard streams that are pipes
// without a name, so that a user other than the caller can open /dev/stdout again. Everything
// else stays the caller's: otherwise a file, a terminal or a device of the host would belong to
// the container for good, with its content. (Nobody can open a socket again.)
//
// uid is the user as a uid of the host. A caller that may not change owners leaves it to init,
// which is root in the container's user namespace: the result says which streams are left.
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
			// This process is root in a user namespace: it has no rights over files from
			// outside of it, or the id is not mapped. Init reports the latter.
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

// pipeOwner reports whether a file is a pipe that has no name in any file system, and its
// owner.
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

// StandardStreams is the number of init's standard streams.
const StandardStreams = 3
