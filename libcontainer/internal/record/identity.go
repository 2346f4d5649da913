// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// OpenInit returns a pidfd of the container's init process. It returns ErrNotRunning if init is dead
// or its number belongs to another process by now.
func (c *Record) OpenInit() (*os.File, error) {
	fd, _, err := c.openLivingInit()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// openLivingInit is OpenInit, and also returns the process's stat.
func (c *Record) openLivingInit() (int, procs.Stat, error) {
	fd, p, err := c.openInit()
	if err == nil && (p.Dead() || procs.Lingers(c.Saved.PID, p)) {
		_ = unix.Close(fd)
		return -1, procs.Stat{}, ErrNotRunning
	}
	return fd, p, err
}

// OpenInitOrZombie is OpenInit, but accepts a dead init that its parent has not reaped.
func (c *Record) OpenInitOrZombie() (*os.File, procs.Stat, error) {
	fd, p, err := c.openInit()
	if err != nil {
		return nil, procs.Stat{}, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), p, nil
}

// openInit opens the pidfd first and reads the start time second. If the process dies in between,
// the pidfd still refers to the dead process, and every later call on it fails.
func (c *Record) openInit() (int, procs.Stat, error) {
	fd, err := unix.PidfdOpen(c.Saved.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // the latter for 0
		return -1, procs.Stat{}, ErrNotRunning
	}
	if err != nil {
		return -1, procs.Stat{}, fmt.Errorf("pidfd_open %d: %w", c.Saved.PID, err)
	}
	p, err := procs.Read(c.Saved.PID)
	if err == nil && p.StartTime == c.Saved.StartTime {
		return fd, p, nil
	}
	_ = unix.Close(fd)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return -1, procs.Stat{}, err
	}
	return -1, procs.Stat{}, ErrNotRunning
}

// InitLingers reports whether init has exited but is not a zombie yet; see procs.Lingers.
func (c *Record) InitLingers() bool {
	if c.Saved.PID == 0 {
		return false
	}
	p, err := procs.Read(c.Saved.PID)
	return err == nil && p.StartTime == c.Saved.StartTime && procs.Lingers(c.Saved.PID, p)
}

// Joins returns the container's namespaces for a new process to join, all with one setns(2): the
// kernel then checks the caller's original rights over each of them, so it does not matter which
// user namespace owns which.
func (c *Record) Joins(target *os.File) []nsenter.Join {
	if c.Saved.Namespaces == 0 {
		return nil
	}
	return []nsenter.Join{{Type: uint32(c.Saved.Namespaces), FD: target}}
}
