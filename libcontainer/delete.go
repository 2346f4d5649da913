// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// lingerPatience is how long delete waits for an init that has exited but waits for other
// processes of its pid namespace to be reaped. Usually that takes a moment; it may take
// forever, and there is no way to find out.
const lingerPatience = 200 * time.Millisecond

// Delete removes a container that has stopped or was never started. With force, a running
// container is killed first, a container that does not exist is not an error, and Delete also
// removes what a killed create or delete left behind and a state that cannot be read.
func (s *Store) Delete(id string, force bool, log options.Logger) error {
	if err := record.CheckID(id); err != nil {
		return err
	}
	s.record(id).Debugf("delete: take the lock, force %t", force)
	var unblock func()
	if force {
		unblock = func() { s.killWithoutLock(id) }
	}
	span := s.trace.Begin(trace.Runtime, "take the lock")
	lock, err := record.LockByForce(s.dir(id), unblock)
	_ = span.End(err)
	if errors.Is(err, os.ErrNotExist) {
		if force {
			return nil
		}
		return record.ErrNotExist
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	st, err := record.Read(s.dir(id))
	switch {
	case err == nil:
	case errors.Is(err, os.ErrNotExist):
		if !force {
			return record.ErrNotExist
		}
		// The create was killed before it made anything else.
		return sysfile.RemoveTree(s.dir(id))
	case force && errors.Is(err, record.ErrBroken):
		// The state tells nothing, and the id would be taken forever.
		log.Warnf("container %s: %v: its processes and cgroups, if there are any, are left", id, err)
		return sysfile.RemoveTree(s.dir(id))
	default:
		return err // It may be the state of a container that another version runs.
	}
	c := s.container(id, st)
	if err := c.refuseDelete(force); err != nil {
		return err
	}
	return c.destroy(log)
}

// killWithoutLock kills init without holding the lock. The command that holds the lock may be
// waiting for init: if somebody stopped init with SIGSTOP, a start or create would wait until
// it is continued.
func (s *Store) killWithoutLock(id string) {
	st, err := record.Read(s.dir(id))
	if err != nil {
		return // there is no init yet, or nobody knows which
	}
	c := s.container(id, st)
	// If this fails, the delete will fail for the same reason and report it.
	_ = c.killInit()
}

// Delete removes the container as Store.Delete does with force. If somebody else has removed it
// in the meantime, there may be a new container with the same id. Delete does not touch it.
func (c *Container) Delete(log options.Logger) error {
	lock, err := record.LockDir(c.rec.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	st, err := record.Read(c.rec.Dir)
	if err == nil && !st.Created.Equal(c.rec.Saved.Created) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.destroy(log)
}

// refuseDelete returns the error for deleting a container that is alive.
func (c *Container) refuseDelete(force bool) error {
	if force {
		return nil
	}
	status, err := c.rec.Status()
	if err != nil {
		return err
	}
	switch status {
	case specs.StateStopped, specs.StateCreated, specs.StateCreating:
		return nil
	}
	return codes.With(codes.ContainerRunning, fmt.Errorf("cannot delete container %s that is not stopped: %s", c.rec.ID, status))
}

// destroy kills what is left and removes everything, the state directory last: as long as it
// exists, a delete that was killed can be repeated.
func (c *Container) destroy(log options.Logger) error {
	var m cgroups.Manager
	list := []steps.Step{
		{"make sure that init has ended", func() (err error) {
			m, err = c.endAll()
			return err
		}},
		{"detach the root file system", c.detachRootfs},
		{"remove the resctrl groups", func() error { return resctrl.Remove(c.rec.Saved.ResctrlGroups) }},
		{"remove the cgroups", func() error {
			c.rec.Debugf("delete: its cgroups are %v", c.rec.Saved.CgroupPaths)
			if err := m.Destroy(); err != nil {
				return err
			}
			return c.removeUnclaimed(log)
		}},
		{"disconnect the network", c.disconnectNetwork},
		{"run poststop hooks", func() error {
			c.runPoststop(log)
			return nil
		}},
		{"remove the state directory", func() error { return sysfile.RemoveTree(c.rec.Dir) }},
	}
	return steps.Run(list, c.rec.Trace, func(what string) error {
		c.rec.Debugf("delete: %s", what)
		return nil
	})
}

// endAll makes sure that init has ended and, if its end does not end the others, kills them. It
// returns the cgroups.
func (c *Container) endAll() (cgroups.Manager, error) {
	if err := c.killInit(); err != nil {
		return nil, err
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return nil, err
	}
	if c.rec.Saved.SharedPID || c.rec.Saved.PID == 0 || c.rec.InitLingers() {
		err = create.IgnoreNoCgroup(m.Kill())
	}
	return m, err
}

// runPoststop runs the poststop hooks. Their failure is only a warning.
func (c *Container) runPoststop(log options.Logger) {
	s := &c.rec.Saved
	if len(s.Poststop) > 0 && c.mayRunHooks(log) {
		hooks.WarnTo(s.HookStdout, s.HookStderr, "poststop", s.Poststop, c.rec.HookState(specs.StateStopped), log, c.rec.Trace)
	}
}

// removeUnclaimed removes cgroups that a killed create made but did not claim, unless
// somebody else uses them.
func (c *Container) removeUnclaimed(log options.Logger) error {
	if !c.rec.Unclaimed() || len(c.rec.Saved.CgroupPlan) == 0 {
		return nil
	}
	u := cgroups.Unclaimed{
		Paths: c.rec.Saved.CgroupPlan, Unit: c.rec.Saved.SystemdUnit, User: c.rec.Saved.SystemdUser, Rootless: c.rec.Saved.CgroupRootless,
	}
	err := u.Remove()
	if errors.Is(err, cgroups.ErrInUse) {
		log.Warnf("container %s: cgroups that its create may have made are left: %v", c.rec.ID, err)
		return nil
	}
	return err
}

// killInit makes sure that init is dead.
func (c *Container) killInit() error {
	if c.rec.Saved.PID == 0 {
		return nil
	}
	// Also wait for an init that is already dying.
	pidfd, _, err := c.rec.OpenInitOrZombie()
	if errors.Is(err, record.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if err := c.Signal(unix.SIGKILL, false); err != nil && !errors.Is(err, record.ErrNotRunning) {
		return err
	}
	for deadline := time.Now().Add(procs.KillPatience); ; {
		timedOut, err := procs.AwaitExit(pidfd, time.Now().Add(lingerPatience))
		if err != nil || !timedOut || c.rec.InitLingers() {
			return err
		}
		if !time.Now().Before(deadline) {
			return codes.New(codes.ContainerRunning, "container init still running")
		}
		// Another process of the container may keep it alive: on cgroup v1, a process
		// that may write to the cgroup can freeze init again and again.
		if err := c.killAll(); err != nil {
			return err
		}
	}
}

// killAll kills whatever is in the container's cgroups.
func (c *Container) killAll() error {
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	return create.IgnoreNoCgroup(m.Kill())
}

// detachRootfs unmounts what a container without a mount namespace of its own has mounted on
// the host: everything that was mounted on top of its rootfs since the create.
func (c *Container) detachRootfs() error {
	if c.rec.Saved.RootfsMountID == 0 {
		return nil
	}
	return host.DetachAbove(c.rec.Saved.Rootfs, c.rec.Saved.RootfsMountID)
}

// disconnectNetwork removes the container's network interfaces.
func (c *Container) disconnectNetwork() error {
	if len(c.rec.Saved.Network) == 0 {
		return nil
	}
	list, err := c.rec.Interfaces()
	if err != nil {
		return err
	}
	return network.Disconnect(list)
}
