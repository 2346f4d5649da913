// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseOnExec keeps what the caller's parent has left open, beyond the standard streams, from
// the programs that the caller starts: hooks, criu, a container. An engine's sockets are
// among it, and files that it holds for somebody else. The files stay open here, so that
// what was given on purpose still works: it is handed on by a descriptor of its own
// (--preserve-fds, LISTEN_FDS), or opened by a path like /dev/fd/N.
//
// Inherited says how many there are from 3 upwards, without a gap: later it cannot be told
// any more which files the caller has opened itself.
func CloseOnExec() (inherited int, err error) {
	const first = 3
	for isInherited(first + inherited) {
		inherited++
	}
	err = unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil {
		err = closeOnExecEach(first)
	}
	return inherited, err
}

func isInherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// closeOnExecEach is for Linux before 5.11, which has no CLOSE_RANGE_CLOEXEC.
func closeOnExecEach(first int) error {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < first {
			continue
		}
		// That of the directory itself is closed by now.
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		if err != nil && err != unix.EBADF { //nolint:errorlint // a bare errno
			return fmt.Errorf("%s/%d: fcntl(F_SETFD): %w", dir, fd, err)
		}
	}
	return nil
}
