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

// checkNetwork finds out whether there is a network in the images, if it is to come from
// there. Without one criu restores an empty one, or that of the host: then a hook has to
// fill it.
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

// setUpNetwork is the network's part of what comes before the first process is restored,
// hooks included, in the order of a creation.
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
		if err := notHosts(netns); err != nil {
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
	// Of these criu saves some, and sets them later: then they are as they were.
	return network.SetSysctls(netns, r.Cfg.Sysctls, !r.o.EmptyNetwork)
}

// fillNetwork makes what criu leaves empty. The loopback is that of any new namespace; one
// that is joined has what it has.
func (r *Restoration) fillNetwork(netns *os.File, isNew bool) error {
	if isNew {
		if err := r.startNew(netns); err != nil {
			return err
		}
	}
	return r.MoveNetDevices()
}

// startNew gives a new namespace its loopback and the interfaces of cfg.Network.
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
