// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"golang.org/x/sys/unix"
)

// ExitStatus waits until the container's init has exited and returns its exit code as a shell
// shows it. The caller need not be the parent. If init's parent reaped it before the call,
// ExitStatus returns ErrNotRunning: nobody has the status any more.
//
//	init          its parent        berth wait
//	                                pidfd_open
//	exit
//	(zombie)                        /proc/PID/stat has the status
//	              waitpid
//	(gone)                          PIDFD_GET_INFO has it, for the holder of a pidfd
func (c *Container) ExitStatus() (int, error) {
	pidfd, _, err := c.rec.OpenInitOrZombie()
	if err != nil {
		return 0, err
	}
	defer pidfd.Close()
	c.rec.Debugf("wait for the end of init %d", c.rec.Saved.PID)
	span := c.rec.Begin("wait for the end of init")
	_, err = procs.AwaitExit(pidfd, time.Time{})
	if span.End(err) != nil {
		return 0, err
	}
	ws, err := c.zombieStatus()
	if errors.Is(err, record.ErrNotRunning) {
		ws, err = procs.ReapedStatus(pidfd)
	}
	if err != nil {
		return 0, err
	}
	return procs.ExitCode(ws), nil
}

// zombieStatus returns the wait status that init's parent is going to get; ErrNotRunning if the
// parent already has it.
func (c *Container) zombieStatus() (unix.WaitStatus, error) {
	path := "/proc/" + strconv.Itoa(c.rec.Saved.PID) + "/stat"
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, record.ErrNotRunning
	}
	if err != nil {
		return 0, err
	}
	p, err := procs.Parse(data)
	if err == nil && p.StartTime != c.rec.Saved.StartTime {
		return 0, record.ErrNotRunning
	}
	var ws unix.WaitStatus
	if err == nil {
		ws, err = procs.ParseExitStatus(data)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return ws, nil
}
