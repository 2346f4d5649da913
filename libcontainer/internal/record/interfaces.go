// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/configs"
)

// networkStatus is the annotation that lists the container's interfaces (docs/network.md). It is not
// in the config.json, but `state` and `list` print it and hooks read it.
const networkStatus = "run.berth.network.status"

// Interface is an interface in state.json and, with the same keys, in the annotation
// networkStatus.
type Interface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses,omitempty"`
	Bridge    string   `json:"bridge"`
	HostName  string   `json:"hostName"`
	HostMAC   string   `json:"hostMAC"`
}

// NewInterface returns what the state keeps of v.
func NewInterface(v *configs.Veth) Interface {
	s := Interface{
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

// WithNetwork returns a container's annotations with networkStatus added.
func WithNetwork(annotations map[string]string, list []Interface) map[string]string {
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

// savedNetwork is the value of the annotation networkStatus.
type savedNetwork struct {
	Version    int         `json:"version"`
	Interfaces []Interface `json:"interfaces"`
}

func networkStatusFields(c *codec.Coder, v *savedNetwork) {
	codec.Signed(c, "version", &v.Version)
	codec.Records(c, "interfaces", &v.Interfaces, interfaceFields)
}
