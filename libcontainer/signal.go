// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Signal sends sig to init, or with all to every process of the container. A
// container that has stopped gives ErrNotRunning, with all it is no error: its
// remaining processes are signalled all the same.
func (c *Container) Signal(sig unix.Signal, all bool) error {
	if all {
		return c.signalAll(sig)
	}
	pidfd, err := c.openInit()
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if sig == unix.SIGKILL && c.saved.SharedPID {
		// No pid namespace dies with init here: its children have to be told.
		return c.signalAll(sig)
	}
	err = unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d to init: %w", sig, err)
	}
	if sig == unix.SIGKILL {
		return c.thaw()
	}
	return nil
}

// thaw lets the processes of a paused container die: on cgroup v1 a frozen process
// does not even take SIGKILL.
func (c *Container) thaw() error {
	m, err := c.cgroup()
	if err != nil {
		return err
	}
	if frozen, err := m.Frozen(); err != nil || !frozen {
		return nil //nolint:nilerr // without a freezer, or without the cgroup, nothing is frozen
	}
	return m.Freeze(false)
}

// signalAll signals every process in the container's cgroup.
func (c *Container) signalAll(sig unix.Signal) error {
	m, err := c.cgroup()
	if err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		return m.Kill()
	}
	return m.Signal(sig)
}
