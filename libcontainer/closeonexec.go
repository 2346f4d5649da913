// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseOnExec marks every descriptor from 3 upwards close-on-exec, so that programs which the
// caller starts (hooks, criu, a container) do not inherit what the caller's parent left open:
// an engine's sockets, for example, or files that it holds for somebody else. The files stay
// open in this process. What was passed on purpose therefore still works: --preserve-fds and
// LISTEN_FDS pass descriptors of their own, and /dev/fd/N can be opened.
//
// inherited is the number of descriptors that are open from 3 upwards without a gap. It has to
// be counted now, before the caller opens files itself.
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

// closeOnExecEach does the same on Linux before 5.11, which has no CLOSE_RANGE_CLOEXEC.
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
		// The descriptor of the directory itself is closed by now.
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		if err != nil && err != unix.EBADF { //nolint:errorlint // a bare errno
			return fmt.Errorf("%s/%d: fcntl(F_SETFD): %w", dir, fd, err)
		}
	}
	return nil
}
