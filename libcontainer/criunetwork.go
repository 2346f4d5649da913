// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/options"
	"golang.org/x/sys/unix"
)

// A network that berth has made is not in images: a restore makes it again, by the
// config.json, in a namespace that criu leaves empty. What criu saves and restores are the
// connections, and while it does no packet may come. Its own lock is rules in the namespace,
// which are not there any more, or not yet, when the connections are restored; and
// --network-lock skip does without. So the host's ends are down for as long.

// The same goes for what a hook has connected, as Docker's does: the hook runs again.

// leaveOutNetwork keeps from the images what a restore connects anew: one end of each pair
// would be on a bridge that criu knows nothing of.
func (c *Container) leaveOutNetwork(o *options.Checkpoint) error {
	if len(c.rec.Saved.Network) > 0 {
		o.EmptyNetwork = true
	}
	if o.EmptyNetwork || !c.ownNetwork() {
		return nil
	}
	netns, err := c.networkNamespace()
	if err != nil {
		return err
	}
	defer netns.Close()
	o.EmptyNetwork, err = network.LeadsOutside(netns)
	if errors.Is(err, os.ErrPermission) {
		return nil // An ordinary user. What that cannot do is for criu to say.
	}
	if err != nil {
		return fmt.Errorf("linux.namespaces: the container's network: %w", err)
	}
	return nil
}

// ownNetwork tells that the network namespace is the container's own, made with it.
func (c *Container) ownNetwork() bool {
	return configs.NamespaceType(c.rec.Saved.Namespaces&^c.rec.Saved.JoinedNamespaces)&configs.NewNet != 0
}

// networkNamespace is the container's, which has to run; the caller closes it.
func (c *Container) networkNamespace() (*os.File, error) {
	return os.Open(filepath.Join("/proc", strconv.Itoa(c.rec.Saved.PID), "ns/net"))
}

// networkHold holds a container's network; nil is for a container without one of ours.
type networkHold struct {
	list []configs.Veth
	held bool
}

// holdNetwork prepares to hold the network of a container that exists.
func (c *Container) holdNetwork() (*networkHold, error) {
	if len(c.rec.Saved.Network) == 0 {
		return nil, nil
	}
	list, err := c.rec.Interfaces()
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

// criuLock takes back the rules by which criu has locked a network namespace.
const criuLock = `*filter
:CRIU - [0:0]
-D INPUT -j CRIU
-D OUTPUT -j CRIU
-X CRIU
COMMIT
`

// removeLock removes the lock of a criu that has died, or the container, which runs on,
// would have no network, not even a loopback. The tools are those that criu has locked it
// with; where they fail, it was not locked.
func (c *Container) removeLock() error {
	if !c.ownNetwork() {
		return nil
	}
	netns, err := c.networkNamespace()
	if err != nil {
		return err
	}
	defer netns.Close()
	done := make(chan error)
	osthread.Go(func() {
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- os.NewSyscallError("setns", err)
			return
		}
		for _, tool := range [...]string{"iptables-restore", "ip6tables-restore"} {
			cmd := exec.Command(tool, "--noflush", "--wait")
			cmd.Stdin = strings.NewReader(criuLock)
			_ = cmd.Run()
		}
		done <- nil
	})
	return <-done
}

// checkNetwork finds out whether there is a network in the images, if it is to come from
// there. Without one criu restores an empty one, or that of the host: then a hook has to
// fill it.
func (r *restoration) checkNetwork() error {
	if r.o.EmptyNetwork || !r.cfg.Namespaces.IsNew(configs.NewNet) {
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
	if len(r.cfg.Hooks.Prestart)+len(r.cfg.Hooks.CreateRuntime) > 0 {
		r.o.EmptyNetwork = true
		return nil
	}
	return errors.New("linux.namespaces: the network namespace is new, and the checkpoint is without a network " +
		"(--network, its annotation or a createRuntime hook makes one, --empty-ns network leaves it empty)")
}

// setUpNetwork is the network's part of what comes before the first process is restored,
// hooks included, in the order of a creation.
func (r *restoration) setUpNetwork() error {
	if !r.o.EmptyNetwork && !r.cfg.Namespaces.IsNew(configs.NewNet) {
		return r.runRuntimeHooks()
	}
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(r.init.PID), "ns/net"))
	if err != nil {
		return err
	}
	defer netns.Close()
	isNew := r.cfg.Namespaces.IsNew(configs.NewNet)
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
	if err := r.runRuntimeHooks(); err != nil || !isNew {
		return err
	}
	// Of these criu saves some, and sets them later: then they are as they were.
	return network.SetSysctls(netns, r.cfg.Sysctls, !r.o.EmptyNetwork)
}

// fillNetwork makes what criu leaves empty. The loopback is that of any new namespace; one
// that is joined has what it has.
func (r *restoration) fillNetwork(netns *os.File, isNew bool) error {
	if isNew {
		if err := r.startNew(netns); err != nil {
			return err
		}
	}
	return r.moveNetDevices()
}

// startNew gives a new namespace its loopback and the interfaces of cfg.Network.
func (r *restoration) startNew(netns *os.File) error {
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
