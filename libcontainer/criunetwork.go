// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/network"
)

// A network that berth has made is not in images: a restore makes it again, by the
// config.json, in a namespace that criu leaves empty. What criu saves and restores are the
// connections, and while it does no packet may come. Criu locks a network whose content it
// has to save; this one is ours to hold.

// networkHold holds a container's network; nil is for a container without one of ours.
type networkHold struct {
	list []configs.Veth
	held bool
}

// holdNetwork prepares to hold the network of a container that exists.
func (c *Container) holdNetwork() (*networkHold, error) {
	if len(c.saved.Network) == 0 {
		return nil, nil
	}
	list, err := c.interfaces()
	return &networkHold{list: list}, err
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

// checkNetwork makes sure that there is a network in the images, if it is to come from
// there: without one criu restores an empty one, or that of the host.
func (r *restoration) checkNetwork() error {
	if r.o.EmptyNetwork || !r.cfg.Namespaces.IsNew(configs.NewNet) {
		return nil
	}
	entries, err := os.ReadDir(r.o.ImagePath)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "netdev-") {
			return nil
		}
	}
	return errors.New("linux.namespaces: the network namespace is new, and the checkpoint is without a network " +
		"(--network or its annotation makes one, --empty-ns network leaves it empty)")
}

// fillNetwork makes what a restored network namespace has that criu leaves empty, in the
// order of a creation. The loopback is that of any new namespace; one that is joined has
// what it has.
func (r *restoration) fillNetwork() error {
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(r.init.PID), "ns/net"))
	if err != nil {
		return err
	}
	defer netns.Close()
	isNew := r.cfg.Namespaces.IsNew(configs.NewNet)
	if isNew {
		if err := r.startNew(netns); err != nil {
			return err
		}
	}
	if err := r.moveNetDevices(); err != nil {
		return err
	}
	if err := r.runRuntimeHooks(); err != nil || !isNew {
		return err
	}
	return network.SetSysctls(netns, r.cfg.Sysctls)
}

// startNew gives a new namespace its loopback and the interfaces of cfg.Network.
func (r *restoration) startNew(netns *os.File) error {
	if err := notHosts(netns); err != nil {
		return err
	}
	if err := network.LoopbackUpIn(netns); err != nil {
		return fmt.Errorf("linux.namespaces: %w", err)
	}
	if r.cfg.Network == nil {
		return nil
	}
	r.hold = &networkHold{list: r.cfg.Network.Interfaces, held: true}
	return r.startNetwork(true)()
}

// notHosts refuses to change the network of the host, where criu restores what has been
// saved there, whatever the config says.
func notHosts(netns *os.File) error {
	host, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	own, err := netns.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(host, own) {
		return errors.New("linux.namespaces: the network namespace is new, and the checkpoint is of a container in the host's")
	}
	return nil
}
