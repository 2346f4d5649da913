// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// BecomeSubreaper makes the calling process the parent of what the container's init
// leaves behind (PR_SET_CHILD_SUBREAPER), for a foreground run.
func BecomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_CHILD_SUBREAPER): %w", err)
	}
	return nil
}

// Wait waits for the container's init, which must be a child of the caller, and reaps
// every other child that ends meanwhile. The result is the exit code as a shell has
// it: 128 + n for one killed by signal n.
func (c *Container) Wait() (int, error) { return waitFor(c.saved.PID) }

// Wait waits for the process as [Container.Wait] does for init.
func (p *Process) Wait() (int, error) { return waitFor(p.pid) }

func waitFor(child int) (int, error) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", child, err)
		case pid != child:
		default:
			return exitCode(ws), nil
		}
	}
}

// Signal sends sig to the process; ErrNotRunning when it has ended.
func (p *Process) Signal(sig unix.Signal) error {
	err := unix.PidfdSendSignal(int(p.pidfd.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d to process %d: %w", sig, p.pid, err)
	}
	return nil
}
