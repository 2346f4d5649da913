// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"golang.org/x/sys/unix"
)

// Signal sends sig to init or, with all, to every process of the container. If the container has
// stopped, Signal returns ErrNotRunning; with all, it still signals the remaining processes.
func (c *Container) Signal(sig unix.Signal, all bool) error {
	c.rec.Debugf("signal %d to init %d, or with all (%t) to every process", int(sig), c.rec.Saved.PID, all)
	if all {
		return c.signalAll(sig)
	}
	pidfd, err := c.rec.OpenInit()
	if errors.Is(err, record.ErrNotRunning) && sig == unix.SIGKILL {
		return c.killOrphans()
	}
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if sig == unix.SIGKILL && c.rec.Saved.SharedPID {
		// There is no pid namespace that ends with init, so its children must be killed too.
		return c.signalAll(sig)
	}
	err = unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return record.ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d to init: %w", sig, err)
	}
	c.rec.Debugf("init %d has the signal", c.rec.Saved.PID)
	if sig == unix.SIGKILL {
		c.rec.Debugf("thaw the cgroup, if it is frozen")
		return c.thaw()
	}
	return nil
}

// killOrphans kills what is left of a container whose init has exited. With a pid namespace of
// its own there is nothing left: the namespace ends with init.
func (c *Container) killOrphans() error {
	if !c.rec.Saved.SharedPID {
		return record.ErrNotRunning
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	pids, err := m.Pids()
	if errors.Is(err, cgroups.ErrNoCgroup) || err == nil && len(pids) == 0 {
		return record.ErrNotRunning
	}
	return errors.Join(err, m.Kill())
}

// thaw thaws a paused container so that its processes can die: on cgroup v1 a frozen process
// does not react to SIGKILL.
func (c *Container) thaw() error {
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	return m.ThawAll()
}

// signalAll sends sig to every process in the container's cgroup.
func (c *Container) signalAll(sig unix.Signal) error {
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		if err := m.Kill(); !errors.Is(err, cgroups.ErrNoCgroup) {
			return err
		}
	}
	if err := m.Signal(sig); !errors.Is(err, cgroups.ErrNoCgroup) {
		return err
	}
	pids, err := c.pidsWithoutCgroup()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("send signal %d to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// pidsWithoutCgroup finds the processes of a rootless container without a cgroup by its pid
// namespace. If that is shared, only init is known to belong to the container.
func (c *Container) pidsWithoutCgroup() ([]int, error) {
	pidfd, err := c.rec.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer pidfd.Close()
	if c.rec.Saved.SharedPID {
		return []int{c.rec.Saved.PID}, nil
	}
	namespace, err := os.Readlink("/proc/" + strconv.Itoa(c.rec.Saved.PID) + "/ns/pid")
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A process that cannot be read belongs to somebody else, or has ended.
		if ns, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err == nil && ns == namespace {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
