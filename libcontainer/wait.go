// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"golang.org/x/sys/unix"
)

// BecomeSubreaper makes the calling process the parent of the processes that the container's init
// leaves behind (PR_SET_CHILD_SUBREAPER). A foreground run needs that.
func BecomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_CHILD_SUBREAPER): %w", err)
	}
	return nil
}

// Reap reaps the caller's children that have ended, and reports whether the container's init,
// which must be a child of the caller, was one of them. It does not wait: call it after
// SIGCHLD. The status is as in a shell: 128 + n for a process killed by signal n.
func (c *Container) Reap() (status int, ended bool, err error) { return reapFor(c.rec.Saved.PID) }

// Reap is [Container.Reap] for the process.
func (p *Process) Reap() (status int, ended bool, err error) { return reapFor(p.pid) }

func reapFor(child int) (status int, ended bool, err error) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, false, fmt.Errorf("wait for process %d: %w", child, err)
		case pid == 0:
			return 0, false, nil
		case pid == child:
			return procs.ExitCode(ws), true, nil
		}
	}
}

// Signal sends sig to the process. It returns ErrNotRunning if the process has ended.
func (p *Process) Signal(sig unix.Signal) error {
	err := unix.PidfdSendSignal(int(p.pidfd.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return record.ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d to process %d: %w", sig, p.pid, err)
	}
	return nil
}
