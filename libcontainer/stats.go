// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/network"
)

// resctrlStats returns the statistics of the container's resctrl group; none if it has no group.
func (c *Container) resctrlStats() (*resctrl.Stats, error) {
	if c.rec.Saved.ResctrlDir == "" {
		return &resctrl.Stats{}, nil
	}
	fs, err := resctrl.Open(resctrl.MountPoint)
	if err != nil {
		return nil, err
	}
	return fs.Stats(c.rec.Saved.ResctrlDir, c.resctrlMonitor())
}

// resctrlMonitor returns the container's own monitoring group, "" if it has none.
func (c *Container) resctrlMonitor() string {
	for _, dir := range c.rec.Saved.ResctrlGroups {
		if filepath.Base(filepath.Dir(dir)) == "mon_groups" {
			return dir
		}
	}
	return ""
}

// InterfaceStats are the counters of one interface, as the container sees them. The JSON is
// runc's, so Name is the name on the host.
type InterfaceStats struct {
	Name string

	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// interfaceStats reads the counters of the host's ends of the interfaces. What the host's end has
// sent, the container has received.
func (c *Container) interfaceStats() ([]InterfaceStats, error) {
	if len(c.rec.Saved.Network) == 0 {
		return nil, nil
	}
	names := make([]string, len(c.rec.Saved.Network))
	for i := range c.rec.Saved.Network {
		names[i] = c.rec.Saved.Network[i].HostName
	}
	counters, err := network.CountersOf(names)
	if err != nil {
		return nil, err
	}
	var all []InterfaceStats
	for i, n := range counters {
		if n == nil {
			continue // removed by somebody else
		}
		all = append(all, InterfaceStats{
			Name: names[i], RxBytes: n.TxBytes, RxPackets: n.TxPackets, RxErrors: n.TxErrors, RxDropped: n.TxDropped,
			TxBytes: n.RxBytes, TxPackets: n.RxPackets, TxErrors: n.RxErrors, TxDropped: n.RxDropped,
		})
	}
	return all, nil
}
