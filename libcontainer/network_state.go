// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/berth-run/berth/libcontainer/codec"
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
	all[networkStatus] = string(codec.Write(&savedNetwork{Version: 1, Interfaces: list}, networkStatusFields))
	return all
}

// savedNetwork is the annotation networkStatus.
type savedNetwork struct {
	Version    int              `json:"version"`
	Interfaces []savedInterface `json:"interfaces"`
}

func networkStatusFields(c *codec.Coder, v *savedNetwork) {
	codec.Signed(c, "version", &v.Version)
	codec.Records(c, "interfaces", &v.Interfaces, interfaceFields)
}
