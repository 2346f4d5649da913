// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Status derives the status from the kernel, so that no process can forget to update it. It checks
// first whether init has stopped: that a cgroup without processes is frozen means nothing.
func (c *Record) Status() (specs.ContainerState, error) {
	if c.Saved.PID == 0 {
		return specs.StateCreating, nil
	}
	fd, p, err := c.openLivingInit()
	if errors.Is(err, ErrNotRunning) {
		return specs.StateStopped, nil
	}
	if err != nil {
		return "", err
	}
	_ = unix.Close(fd)
	m, err := c.Cgroup()
	if err != nil {
		return "", err
	}
	if frozen, err := m.Frozen(); err == nil && frozen {
		return Paused, nil
	}
	// A killed start may leave the fifo of a running container, so the fifo alone is not
	// enough. Nor is the name: the user's program may give itself any name.
	if p.Name == nsenter.InitName && c.HasFifo() {
		return specs.StateCreated, nil
	}
	return specs.StateRunning, nil
}

// HasFifo reports whether the fifo still exists, that is, no `start` has completed.
func (c *Record) HasFifo() bool {
	var st unix.Stat_t
	return unix.Lstat(c.Path(FifoFile), &st) == nil
}

// Cgroup returns the manager of the container's cgroups. Until the create has claimed cgroups, it
// manages none.
func (c *Record) Cgroup() (cgroups.Manager, error) {
	if c.Unclaimed() {
		return cgroups.Load(nil, &configs.Cgroup{Rootless: c.Saved.CgroupRootless})
	}
	return cgroups.Load(c.Saved.CgroupPaths, &configs.Cgroup{
		Claims: c.Saved.CgroupClaims,
		Unit:   c.Saved.SystemdUnit, UnitUser: c.Saved.SystemdUser, Unfinished: c.Saved.PID == 0,
		Rootless: c.Saved.CgroupRootless, Subgroup: c.Saved.CgroupSubgroup,
	})
}

// Unclaimed reports whether the create did not get as far as claiming its cgroups; what is at the
// paths may then belong to somebody else. For an earlier version, which made no claims, it
// reports whether the create did not finish.
func (c *Record) Unclaimed() bool {
	return c.Saved.PID == 0 && len(c.Saved.CgroupClaims) == 0
}

// HookState returns the state that hooks read from their standard input.
func (c *Record) HookState(status specs.ContainerState) *specs.State {
	st := &specs.State{
		Version: c.Saved.OCIVersion, ID: c.ID, Status: status, Pid: c.Saved.PID,
		Bundle: c.Saved.Bundle, Annotations: WithNetwork(c.Saved.Annotations, c.Saved.Network),
	}
	if status == specs.StateStopped {
		st.Pid = 0
	}
	return st
}

// Interfaces returns the container's interfaces, with what is needed to find them again.
func (c *Record) Interfaces() ([]configs.Veth, error) {
	list := make([]configs.Veth, len(c.Saved.Network))
	for i := range c.Saved.Network {
		mac, err := parseHardwareAddr(c.Saved.Network[i].HostMAC)
		if err != nil {
			return nil, fmt.Errorf("%s: network[%d].hostMAC: %w", StateFile, i, err)
		}
		list[i] = configs.Veth{HostName: c.Saved.Network[i].HostName, HostMAC: mac}
	}
	return list, nil
}

// Paused is the only status that the runtime-spec does not define.
const Paused specs.ContainerState = "paused"
