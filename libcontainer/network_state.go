// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/network"
)

// InterfaceStats are the counters of one interface, as the container sees them. The JSON
// is runc's: Name is the name on the host.
type InterfaceStats struct {
	Name string

	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// interfaceStats reads the counters of the host's ends, which are in reach: what these
// have sent, the container has received.
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
