// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// openInit gives a pidfd of the container's init process; ErrNotRunning when it is
// dead or its number belongs to another process by now.
func (c *record) openInit() (*os.File, error) {
	pidfd, _, err := c.openInitStat()
	return pidfd, err
}

// openInitStat is openInit with what the kernel tells of the process.
func (c *record) openInitStat() (*os.File, procs.Stat, error) {
	pidfd, p, err := c.openInitOrZombie()
	if err != nil {
		return nil, procs.Stat{}, err
	}
	if p.Dead() || procs.Lingers(c.saved.PID, p) {
		_ = pidfd.Close()
		return nil, procs.Stat{}, ErrNotRunning
	}
	return pidfd, p, nil
}

// openInitOrZombie is openInit that also takes an init that is dead, as long as its
// parent has not collected it. The pidfd is opened first and the start time read second:
// if the process dies in between, the pidfd still refers to the dead one and every later
// call on it fails.
func (c *record) openInitOrZombie() (*os.File, procs.Stat, error) {
	fd, err := unix.PidfdOpen(c.saved.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // the latter for 0
		return nil, procs.Stat{}, ErrNotRunning
	}
	if err != nil {
		return nil, procs.Stat{}, fmt.Errorf("pidfd_open %d: %w", c.saved.PID, err)
	}
	p, err := procs.Read(c.saved.PID)
	if err == nil && p.StartTime == c.saved.StartTime {
		return os.NewFile(uintptr(fd), "pidfd"), p, nil
	}
	_ = unix.Close(fd)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return nil, procs.Stat{}, err
	}
	return nil, procs.Stat{}, ErrNotRunning
}

// initLingers says whether init waits to be a zombie, see lingers.
func (c *record) initLingers() bool {
	if c.saved.PID == 0 {
		return false
	}
	p, err := procs.Read(c.saved.PID)
	return err == nil && p.StartTime == c.saved.StartTime && procs.Lingers(c.saved.PID, p)
}

// joins are the container's namespaces for a new process. All at once: the kernel checks
// the rights over each with those that init has before, so it does not matter which user
// namespace owns which.
func (c *record) joins(target *os.File) []nsenter.Join {
	if c.saved.Namespaces == 0 {
		return nil
	}
	return []nsenter.Join{{Type: uint32(c.saved.Namespaces), FD: target}}
}
