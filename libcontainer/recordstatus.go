// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// status derives the state from what the kernel says: no process can forget to
// record it. A stopped init is told first, since a frozen cgroup without a process
// in it is of no use to anyone.
func (c *record) status() (specs.ContainerState, error) {
	if c.saved.PID == 0 {
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
	m, err := c.cgroup()
	if err != nil {
		return "", err
	}
	if frozen, err := m.Frozen(); err == nil && frozen {
		return Paused, nil
	}
	// A start that was killed leaves the fifo of a container that runs. The name alone
	// would not do either: the user's program may give itself any.
	if p.Name == nsenter.InitName && c.hasFifo() {
		return specs.StateCreated, nil
	}
	return specs.StateRunning, nil
}

// hasFifo says whether no `start` has come to its end yet.
func (c *record) hasFifo() bool {
	_, err := os.Lstat(c.file(fifoFile))
	return err == nil
}

// cgroup is the manager of the container's cgroups: of none, as long as its create has not
// claimed any.
func (c *record) cgroup() (cgroups.Manager, error) {
	if c.unclaimed() {
		return cgroups.Load(nil, &configs.Cgroup{Rootless: c.saved.CgroupRootless})
	}
	return cgroups.Load(c.saved.CgroupPaths, &configs.Cgroup{
		Claims: c.saved.CgroupClaims,
		Unit:   c.saved.SystemdUnit, UnitUser: c.saved.SystemdUser, Unfinished: c.saved.PID == 0,
		Rootless: c.saved.CgroupRootless, Subgroup: c.saved.CgroupSubgroup,
	})
}

// unclaimed says that a create has not come to claim cgroups, or one of an earlier version,
// which knew no claims, not to its end: whatever is at the paths may be another's.
func (c *record) unclaimed() bool {
	return c.saved.PID == 0 && len(c.saved.CgroupClaims) == 0
}

// hookState is what hooks get on their standard input.
func (c *record) hookState(status specs.ContainerState) *specs.State {
	st := &specs.State{
		Version: c.saved.OCIVersion, ID: c.id, Status: status, Pid: c.saved.PID,
		Bundle: c.saved.Bundle, Annotations: withNetworkStatus(c.saved.Annotations, c.saved.Network),
	}
	if status == specs.StateStopped {
		st.Pid = 0
	}
	return st
}

// interfaces are a container's, as far as it takes to find them again.
func (c *record) interfaces() ([]configs.Veth, error) {
	list := make([]configs.Veth, len(c.saved.Network))
	for i := range c.saved.Network {
		mac, err := parseHardwareAddr(c.saved.Network[i].HostMAC)
		if err != nil {
			return nil, err
		}
		list[i] = configs.Veth{HostName: c.saved.Network[i].HostName, HostMAC: mac}
	}
	return list, nil
}
