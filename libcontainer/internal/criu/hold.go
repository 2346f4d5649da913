// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/network"
)

// NetworkHold holds a container's network. A nil NetworkHold is for a container without a
// network from --network or its annotation.
type NetworkHold struct {
	List []configs.Veth
	Held bool
}

// Hold takes the host's ends down, unless it has done so already.
func (h *NetworkHold) Hold() error {
	if h == nil || h.Held {
		return nil
	}
	h.Held = true // perhaps only partly
	return network.Hold(h.List)
}

// Release brings them up again, if Hold has taken them down.
func (h *NetworkHold) Release() error {
	if h == nil || !h.Held {
		return nil
	}
	h.Held = false
	return network.Release(h.List)
}
