// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/network"
)

// networkHold holds a container's network; nil is for a container without one of ours.
type networkHold struct {
	list []configs.Veth
	held bool
}

func (h *networkHold) hold() error {
	if h == nil || h.held {
		return nil
	}
	h.held = true // be it in part
	return network.Hold(h.list)
}

func (h *networkHold) release() error {
	if h == nil || !h.held {
		return nil
	}
	h.held = false
	return network.Release(h.list)
}
