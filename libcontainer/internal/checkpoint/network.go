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
	"github.com/berth-run/berth/nsenter/timerslack"
	"golang.org/x/sys/unix"
)

// A network that a create or a restore set up is not saved in the images: a restore sets it up
// again from the config.json, in a namespace that criu leaves empty. Criu saves and restores
// the connections, and no packet may arrive while it does. Its own lock is a set of rules in
// the namespace. Those do not exist any more, or not yet, when the connections are restored,
// and --network-lock skip does without them. So the host's ends are down during that time.

// The same applies to what a hook has connected, as Docker's does: the hook runs again.

// LeaveOutNetwork keeps out of the images what a restore connects anew: one end of each pair
// would be on a bridge that criu does not know.
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
		return nil // An unprivileged user. Criu will report what it may not do.
	}
	if err != nil {
		return fmt.Errorf("linux.namespaces: the container's network: %w", err)
	}
	return nil
}

// ownNetwork reports whether the network namespace was created for the container.
func (c *Checkpoint) ownNetwork() bool {
	return configs.NamespaceType(c.Saved.Namespaces&^c.Saved.JoinedNamespaces)&configs.NewNet != 0
}

// networkNamespace opens the container's, which has to be running. The caller closes it.
func (c *Checkpoint) networkNamespace() (*os.File, error) {
	return os.Open(filepath.Join("/proc", strconv.Itoa(c.Saved.PID), "ns/net"))
}

// holdNetwork prepares to hold the network of an existing container.
func (c *Checkpoint) holdNetwork() (*criu.NetworkHold, error) {
	if len(c.Saved.Network) == 0 {
		return nil, nil
	}
	list, err := c.Interfaces()
	return &criu.NetworkHold{List: list}, err
}

// lockRules removes the rules by which criu has locked a network namespace.
const lockRules = `*filter
:CRIU - [0:0]
-D INPUT -j CRIU
-D OUTPUT -j CRIU
-X CRIU
COMMIT
`

// removeLock removes the lock of a criu that has died. Otherwise the container, which continues
// to run, would have no network, not even a loopback. The tools are those that criu has locked
// it with; if they fail, it was not locked.
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
			timerslack.Restore()
			_ = cmd.Run()
		}
		done <- nil
	})
	return <-done
}
