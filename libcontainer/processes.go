// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/cgroups"
)

// Processes lists the processes of the container by their pids on the host, those
// that exec has added included. A container that has stopped may still have some, if
// it shares a pid namespace.
func (c *Container) Processes() ([]int, error) {
	m, err := c.rec.Cgroup()
	if err != nil {
		return nil, err
	}
	c.rec.Debugf("read the processes of the cgroups %v", c.rec.Saved.CgroupPaths)
	pids, err := m.Pids()
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return c.pidsWithoutCgroup()
	}
	return pids, err
}
