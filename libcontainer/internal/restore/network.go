// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/network"
)

// checkNetwork checks that the images contain a network if it is to come from there. Without
// one, criu restores an empty network, or the host's: then a hook has to set it up.
func (r *Restoration) checkNetwork() error {
	if r.o.EmptyNetwork || !r.Cfg.Namespaces.IsNew(configs.NewNet) {
		return nil
	}
	entries, err := os.ReadDir(r.o.ImagePath)
	if err != nil {
		return fmt.Errorf("image-path: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "netdev-") {
			return nil
		}
	}
	if len(r.Cfg.Hooks.Prestart)+len(r.Cfg.Hooks.CreateRuntime) > 0 {
		r.o.EmptyNetwork = true
		return nil
	}
	return errors.New("linux.namespaces: the network namespace is new, and the checkpoint is without a network " +
		"(--network, its annotation or a createRuntime hook makes one, --empty-ns network leaves it empty)")
}

// setUpNetwork does what the network needs before the first process is restored, including
// hooks, in the same order as a create.
func (r *Restoration) setUpNetwork() error {
	if !r.o.EmptyNetwork && !r.Cfg.Namespaces.IsNew(configs.NewNet) {
		return r.RunRuntimeHooks()
	}
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(r.Init.PID), "ns/net"))
	if err != nil {
		return err
	}
	defer netns.Close()
	isNew := r.Cfg.Namespaces.IsNew(configs.NewNet)
	if isNew {
		if err := refuseHostNetwork(netns); err != nil {
			return err
		}
	}
	if r.o.EmptyNetwork {
		if err := r.fillNetwork(netns, isNew); err != nil {
			return err
		}
	}
	if err := r.RunRuntimeHooks(); err != nil || !isNew {
		return err
	}
	// criu saves some of these and sets them later: they then have their old values.
	return network.SetSysctls(netns, r.Cfg.Sysctls, !r.o.EmptyNetwork)
}

// fillNetwork sets up the network that criu leaves empty. A new namespace gets its loopback
// interface. One that is joined keeps what it has.
func (r *Restoration) fillNetwork(netns *os.File, isNew bool) error {
	if isNew {
		if err := r.startNew(netns); err != nil {
			return err
		}
	}
	return r.MoveNetDevices()
}

// startNew sets up the loopback interface of a new namespace and the interfaces of cfg.Network.
func (r *Restoration) startNew(netns *os.File) error {
	if err := network.LoopbackUpIn(netns); err != nil {
		return fmt.Errorf("linux.namespaces: %w", err)
	}
	if r.Cfg.Network == nil {
		return nil
	}
	r.hold = &criu.NetworkHold{List: r.Cfg.Network.Interfaces, Held: true}
	return r.StartNetwork(true)()
}

// refuseHostNetwork refuses to change the network of the host. That is where criu restores what
// has been saved there, whatever the config says.
func refuseHostNetwork(netns *os.File) error {
	host, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	own, err := netns.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(host, own) {
		return errors.New("linux.namespaces: the network namespace is new, and the checkpoint is of a container in the host's network namespace")
	}
	return nil
}
