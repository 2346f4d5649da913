// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/network"
)

// networkStatus is the annotation that tells what a container has been given
// (docs/network.md). It is not in the config.json but in what `state` and `list` print and
// hooks read.
const networkStatus = "run.berth.network.status"

// savedInterface is an interface in state.json and, with the same keys, in the annotation
// networkStatus.
type savedInterface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses,omitempty"`
	Bridge    string   `json:"bridge"`
	HostName  string   `json:"hostName"`
	HostMAC   string   `json:"hostMAC"`
}

func saveInterface(v *configs.Veth) savedInterface {
	s := savedInterface{
		Name: v.Name, MAC: formatHardwareAddr(v.MAC), Bridge: v.Bridge,
		HostName: v.HostName, HostMAC: formatHardwareAddr(v.HostMAC),
	}
	for _, a := range v.Addresses {
		s.Addresses = append(s.Addresses, a.String())
	}
	return s
}

func formatHardwareAddr(mac configs.HardwareAddr) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
}

func parseHardwareAddr(text string) (mac configs.HardwareAddr, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != len(mac) {
		return mac, fmt.Errorf("not a MAC address: %q", text)
	}
	return configs.HardwareAddr(b), nil
}

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
	if len(c.saved.Network) == 0 {
		return nil, nil
	}
	names := make([]string, len(c.saved.Network))
	for i := range c.saved.Network {
		names[i] = c.saved.Network[i].HostName
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

// withNetworkStatus adds networkStatus to a container's annotations.
func withNetworkStatus(annotations map[string]string, list []savedInterface) map[string]string {
	if len(list) == 0 {
		return annotations
	}
	all := maps.Clone(annotations)
	if all == nil {
		all = make(map[string]string, 1)
	}
	e := stateEncoder{}
	e.number("version", 1)
	e.interfaces("interfaces", list)
	all[networkStatus] = string(append(e.buf, '}'))
	return all
}

// interfaces leaves out an empty list.
func (e *stateEncoder) interfaces(name string, list []savedInterface) {
	if len(list) == 0 {
		return
	}
	e.key(name)
	for i := range list {
		s := &list[i]
		inner := stateEncoder{}
		inner.text("name", s.Name)
		inner.text("mac", s.MAC)
		inner.list("addresses", s.Addresses)
		inner.text("bridge", s.Bridge)
		inner.text("hostName", s.HostName)
		inner.text("hostMAC", s.HostMAC)
		e.buf = append(e.buf, "[,"[min(i, 1)])
		e.buf = append(append(e.buf, inner.buf...), '}')
	}
	e.buf = append(e.buf, ']')
}

// interfaces is the counterpart.
func (r *stateReader) interfaces(to *[]savedInterface) bool {
	return r.array(func() bool {
		var s savedInterface
		ok := r.object(func(key string) bool {
			switch key {
			case "name":
				return r.string(&s.Name)
			case "mac":
				return r.string(&s.MAC)
			case "addresses":
				return r.array(func() bool {
					var a string
					ok := r.string(&a)
					s.Addresses = append(s.Addresses, a)
					return ok
				})
			case "bridge":
				return r.string(&s.Bridge)
			case "hostName":
				return r.string(&s.HostName)
			case "hostMAC":
				return r.string(&s.HostMAC)
			}
			return false
		})
		*to = append(*to, s)
		return ok
	})
}

// array takes an array that is not empty.
func (r *stateReader) array(element func() bool) bool {
	if !r.take('[') {
		return false
	}
	for {
		if !element() {
			return false
		}
		if !r.take(',') {
			return r.take(']')
		}
	}
}
