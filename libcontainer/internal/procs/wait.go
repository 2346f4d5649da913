// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// AwaitExitFor waits until the process is dead, or for timeout seconds (nil: forever).
func AwaitExitFor(pidfd *os.File, timeout *int) (timedOut bool, err error) {
	var deadline time.Time
	if timeout != nil {
		deadline = time.Now().Add(time.Duration(*timeout) * time.Second)
	}
	return AwaitExit(pidfd, deadline)
}

// AwaitExit waits until the process is dead or the deadline has passed; the zero time
// means no deadline.
func AwaitExit(pidfd *os.File, deadline time.Time) (timedOut bool, err error) {
	fds := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		ms := -1
		if !deadline.IsZero() {
			ms = int(max(0, time.Until(deadline).Milliseconds()))
		}
		n, err := unix.Poll(fds, ms)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, fmt.Errorf("poll pidfd: %w", err)
		case n > 0:
			return false, nil
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return true, nil
		}
	}
}

// Reap waits for a child to end and returns its wait status.
func Reap(pid int) (unix.WaitStatus, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return ws, fmt.Errorf("wait for process %d: %w", pid, err)
		default:
			return ws, nil
		}
	}
}

// KillPatience is how long delete waits for a killed process to end. A process in uninterruptible
// sleep may never end.
const KillPatience = 10 * time.Second
