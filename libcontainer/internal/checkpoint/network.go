// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/network"
	"golang.org/x/sys/unix"
)

// A network that berth has made is not in images: a restore makes it again, by the
// config.json, in a namespace that criu leaves empty. What criu saves and restores are the
// connections, and while it does no packet may come. Its own lock is rules in the namespace,
// which are not there any more, or not yet, when the connections are restored; and
// --network-lock skip does without. So the host's ends are down for as long.

// The same goes for what a hook has connected, as Docker's does: the hook runs again.

// LeaveOutNetwork keeps from the images what a restore connects anew: one end of each pair
// would be on a bridge that criu knows nothing of.
func (c *Checkpoint) LeaveOutNetwork() error {
	o := c.o
	if len(c.Saved.Network) > 0 {
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
func (c *Checkpoint) ownNetwork() bool {
	return configs.NamespaceType(c.Saved.Namespaces&^c.Saved.JoinedNamespaces)&configs.NewNet != 0
}

// networkNamespace is the container's, which has to run; the caller closes it.
func (c *Checkpoint) networkNamespace() (*os.File, error) {
	return os.Open(filepath.Join("/proc", strconv.Itoa(c.Saved.PID), "ns/net"))
}

// holdNetwork prepares to hold the network of a container that exists.
func (c *Checkpoint) holdNetwork() (*criu.NetworkHold, error) {
	if len(c.Saved.Network) == 0 {
		return nil, nil
	}
	list, err := c.Interfaces()
	return &criu.NetworkHold{List: list}, err
}

// lockRules takes back the rules by which criu has locked a network namespace.
const lockRules = `*filter
:CRIU - [0:0]
-D INPUT -j CRIU
-D OUTPUT -j CRIU
-X CRIU
COMMIT
`

// removeLock removes the lock of a criu that has died, or the container, which runs on,
// would have no network, not even a loopback. The tools are those that criu has locked it
// with; where they fail, it was not locked.
func (c *Checkpoint) removeLock() error {
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
			cmd.Stdin = strings.NewReader(lockRules)
			_ = cmd.Run()
		}
		done <- nil
	})
	return <-done
}
