// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
)

// filteredCalls are the system calls that init makes between the load of a filter and the
// exec, in this order; there are more with hooks.
var filteredCalls = [...]string{"capset", "prctl", "write", "read", "close", "execve"}

// explainEnd says what init died of, which had no chance to say it. filter is the one that
// it had loaded, or was about to.
func explainEnd(err error, ws unix.WaitStatus, filter []byte) error {
	switch {
	case ws.Signaled() && ws.Signal() == unix.SIGSYS && len(filter) > 0:
		if calls := seccomp.Ends(filter, filteredCalls[:]...); len(calls) > 0 {
			return fmt.Errorf("%w: it was killed by SIGSYS: linux.seccomp ends it for a system call that it needs before the program runs: %s",
				err, strings.Join(calls, ", "))
		}
		return fmt.Errorf("%w: it was killed by SIGSYS: linux.seccomp ends it for a system call that it needs before the program runs", err)
	case procs.WasKilled(ws):
		return fmt.Errorf("%w: it was killed by SIGKILL (by somebody, or by the kernel, which had no memory for it)", err)
	case ws.Signaled():
		return fmt.Errorf("%w: it was killed by %s", err, procs.SignalName(ws.Signal()))
	case ws.Exited() && ws.ExitStatus() > procs.ShellSignalBase: // init's way for those that stop it
		return fmt.Errorf("%w: it was ended by %s", err, procs.SignalName(unix.Signal(ws.ExitStatus()-procs.ShellSignalBase)))
	}
	return err
}

// explainStopped adds to the error of a start what the container's init has died of, as far
// as anybody still knows. pidfd is init's, nil when it was gone before.
func (c *Container) explainStopped(err error, pidfd *os.File) error {
	if !errors.Is(err, nsenter.ErrInitGone) && !errors.Is(err, errStoppedBefore) {
		return err
	}
	if pidfd == nil {
		// Only as long as the fifo is there it was init, and not the program, that has ended.
		if _, serr := os.Lstat(c.rec.Path(record.FifoFile)); serr != nil {
			return err
		}
	}
	ws, werr := c.zombieStatus()
	if errors.Is(werr, record.ErrNotRunning) && pidfd != nil {
		ws, werr = procs.ReapedStatus(pidfd)
	}
	if werr != nil {
		return err
	}
	var filter []byte
	if c.rec.Saved.Filtered {
		filter, _, _ = sysfile.ReadOwned(c.rec.Path(record.FilterFile))
	}
	return explainEnd(err, ws, filter)
}
