// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// lingerPatience is for an init that waits for others in its pid namespace to be
// collected. Nothing tells whether that is only a matter of time, as it usually is.
const lingerPatience = 200 * time.Millisecond

// Delete removes a container that has stopped or was never started. With force a
// running one is killed first, it is no error when there is none, and the remains of
// a create or delete that was killed are removed, as is a state that nobody can read.
func (s *Store) Delete(id string, force bool, log options.Logger) error {
	if err := record.CheckID(id); err != nil {
		return err
	}
	s.record(id).Debugf("delete: take the lock, force %t", force)
	var unblock func()
	if force {
		unblock = func() { s.killWithoutLock(id) }
	}
	lock, err := record.LockByForce(s.dir(id), unblock)
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
		// The create was killed before it had made anything else.
		return sysfile.RemoveTree(s.dir(id))
	case force && errors.Is(err, record.ErrBroken):
		// There is nothing to go by, and the id would be taken for ever.
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

// killWithoutLock kills init, as kill does. Who has the lock may be waiting for init: a start
// or a create waits for one that somebody has stopped (SIGSTOP) for as long as it is so.
func (s *Store) killWithoutLock(id string) {
	st, err := record.Read(s.dir(id))
	if err != nil {
		return // there is no init yet, or nobody knows which
	}
	c := s.container(id, st)
	// What is in the way of it is in the way of the delete as well, which tells.
	_ = c.killInit()
}

// Delete removes the container as Store.Delete does with force, by the state that c
// was made or loaded with. When somebody else has removed it meanwhile, there may be another
// one of its name, which is not touched.
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

// refuseDelete is the error of deleting a container that is alive.
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
	return fmt.Errorf("cannot delete container %s that is not stopped: %s", c.rec.ID, status)
}

// destroy kills what is left and removes everything, the state directory last: as
// long as it is there, a delete that was killed can be done again.
func (c *Container) destroy(log options.Logger) error {
	c.rec.Debugf("delete: make sure that init %d has ended", c.rec.Saved.PID)
	if err := c.killInit(); err != nil {
		return err
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	if c.rec.Saved.SharedPID || c.rec.Saved.PID == 0 || c.rec.InitLingers() {
		if err := create.IgnoreNoCgroup(m.Kill()); err != nil {
			return err
		}
	}
	c.rec.Debugf("delete: detach the root file system")
	if err := c.detachRootfs(); err != nil {
		return err
	}
	if err := resctrl.Remove(c.rec.Saved.ResctrlGroups); err != nil {
		return err
	}
	c.rec.Debugf("delete: remove the cgroups %v", c.rec.Saved.CgroupPaths)
	if err := m.Destroy(); err != nil {
		return err
	}
	if err := c.removeUnclaimed(log); err != nil {
		return err
	}
	c.rec.Debugf("delete: disconnect the network")
	if err := c.disconnectNetwork(); err != nil {
		return err
	}
	if len(c.rec.Saved.Poststop) > 0 && c.mayRunHooks(log) {
		hooks.WarnTo(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr, "poststop", c.rec.Saved.Poststop, c.rec.HookState(specs.StateStopped), log)
	}
	c.rec.Debugf("delete: remove the state directory")
	return sysfile.RemoveTree(c.rec.Dir)
}

// removeUnclaimed removes the cgroups that a create that was killed had not come to claim,
// if they are nobody else's.
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
	// One that is dying already is waited for as well.
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
			return errors.New("container init still running")
		}
		// Others of the container may be what keeps it: on cgroup v1 they can freeze
		// it, as often as they like, where they may write its cgroups.
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

// detachRootfs undoes what a container without a mount namespace of its own has
// mounted on the host: everything that has come to stand on its rootfs since.
func (c *Container) detachRootfs() error {
	if c.rec.Saved.RootfsMountID == 0 {
		return nil
	}
	return rootfs.DetachAbove(c.rec.Saved.Rootfs, c.rec.Saved.RootfsMountID)
}

// disconnectNetwork removes what a container has of interfaces.
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
