// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Status derives the state from what the kernel says: no process can forget to
// record it. A stopped init is told first, since a frozen cgroup without a process
// in it is of no use to anyone.
func (c *Record) Status() (specs.ContainerState, error) {
	if c.Saved.PID == 0 {
		return specs.StateCreating, nil
	}
	pidfd, p, err := c.openInitStat()
	if errors.Is(err, ErrNotRunning) {
		return specs.StateStopped, nil
	}
	if err != nil {
		return "", err
	}
	_ = pidfd.Close()
	m, err := c.Cgroup()
	if err != nil {
		return "", err
	}
	if frozen, err := m.Frozen(); err == nil && frozen {
		return Paused, nil
	}
	// A start that was killed leaves the fifo of a container that runs. The name alone
	// would not do either: the user's program may give itself any.
	if p.Name == nsenter.InitName && c.HasFifo() {
		return specs.StateCreated, nil
	}
	return specs.StateRunning, nil
}

// HasFifo says whether no `start` has come to its end yet.
func (c *Record) HasFifo() bool {
	_, err := os.Lstat(c.Path(FifoFile))
	return err == nil
}

// Cgroup is the manager of the container's cgroups: of none, as long as its create has not
// claimed any.
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

// Unclaimed says that a create has not come to claim cgroups, or one of an earlier version,
// which knew no claims, not to its end: whatever is at the paths may be another's.
func (c *Record) Unclaimed() bool {
	return c.Saved.PID == 0 && len(c.Saved.CgroupClaims) == 0
}

// HookState is what hooks get on their standard input.
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

// Interfaces are a container's, as far as it takes to find them again.
func (c *Record) Interfaces() ([]configs.Veth, error) {
	list := make([]configs.Veth, len(c.Saved.Network))
	for i := range c.Saved.Network {
		mac, err := parseHardwareAddr(c.Saved.Network[i].HostMAC)
		if err != nil {
			return nil, err
		}
		list[i] = configs.Veth{HostName: c.Saved.Network[i].HostName, HostMAC: mac}
	}
	return list, nil
}

// Paused is the one status that the runtime-spec does not name.
const Paused specs.ContainerState = "paused"
