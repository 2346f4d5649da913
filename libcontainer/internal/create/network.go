// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/network"
	"golang.org/x/sys/unix"
)

// The files for name resolution, in the state directory.
const (
	hostsFile  = "hosts"
	resolvFile = "resolv.conf"
)

// planNetwork gives the interfaces their names and records them before any of them is
// made, so that a kill from here on leaves nothing that nobody can find.
func (cr *Creation) planNetwork() error {
	n := cr.Cfg.Network
	if n == nil {
		return nil
	}
	for i := range n.Interfaces {
		v := &n.Interfaces[i]
		own := deriveID(cr.Root, cr.ID, strconv.Itoa(i))
		if v.HostName == "" {
			v.HostName = fmt.Sprintf("bt%013x", own&(1<<52-1))
		}
		// Of the addresses of its ports a bridge that has none of its own takes the
		// lowest: not this one, which comes and goes.
		v.HostMAC = macOf(own, 0xfe)
		if v.MAC == (configs.HardwareAddr{}) {
			v.MAC = containerMAC(v, own)
		}
		cr.Saved.Network = append(cr.Saved.Network, record.NewInterface(v))
	}
	return cr.planNameFiles(n)
}

// containerMAC follows from the first address. A container that is made again has the
// same one then, and its neighbours need not forget the old one before they find it.
func containerMAC(v *configs.Veth, own uint64) configs.HardwareAddr {
	if len(v.Addresses) > 0 {
		own = deriveID(v.Bridge, v.Addresses[0].Addr().String())
	}
	return macOf(own, 0x02)
}

// deriveID is a number that texts have for themselves, as far as 64 bits allow.
func deriveID(texts ...string) uint64 {
	h := fnv.New64a()
	for _, t := range texts {
		_, _ = h.Write([]byte(t)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// macOf makes a locally administered address of a single station.
func macOf(n uint64, first byte) configs.HardwareAddr {
	return configs.HardwareAddr{first, byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// planNameFiles writes the files for name resolution into the state directory, and has
// them bind-mounted. So nothing of the image is changed, and a root file system that is
// read-only can have them as long as it has files of these names.
//
// The mounts are read-only: the state directory is on a tmpfs of the host's, which a
// container could otherwise fill.
func (cr *Creation) planNameFiles(n *configs.Network) error {
	for _, f := range [...]struct {
		name string
		text *string
		key  string
	}{{hostsFile, n.Hosts, ".hosts"}, {resolvFile, n.Resolv, ".resolv"}} {
		if f.text == nil {
			continue
		}
		path := filepath.Join(cr.Dir, f.name)
		if err := os.WriteFile(path, []byte(*f.text), 0o600); err != nil {
			return err
		}
		// Any user of the container may read it, whatever the umask.
		if err := os.Chmod(path, 0o644); err != nil {
			return err
		}
		cr.Cfg.Mounts = append(cr.Cfg.Mounts, configs.Mount{
			Field: n.Field + f.key, Destination: "/etc/" + f.name, Type: "bind", Source: path,
			Flags: unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
		})
	}
	return nil
}

// StartNetwork makes the interfaces, at the same time as what else there is to do: it is
// mostly waiting for the lock that the kernel has for all of its interfaces. The result
// waits for it. With held it is for network.Release to let packets pass.
func (cr *Creation) StartNetwork(held bool) (wait func() error) {
	if cr.Cfg.Network == nil {
		return func() error { return nil }
	}
	type result struct {
		bridges []string
		err     error
	}
	done := make(chan result, 1)
	go func() {
		bridges, err := cr.connectNetwork(held)
		done <- result{bridges, err}
	}()
	return func() error {
		r := <-done
		if len(r.bridges) > 0 {
			cr.Undo.Push("remove the bridge", func() error { return cr.removeBridges(r.bridges) })
		}
		if r.err == nil {
			// The kernel does it, too, when the namespace ends, but some time later.
			list := cr.Cfg.Network.Interfaces
			cr.Undo.Push("remove the network interfaces", func() error { return network.Disconnect(list) })
		}
		return r.err
	}
}

// connectNetwork makes the interfaces. Init is in its network namespace by then.
func (cr *Creation) connectNetwork(held bool) (bridges []string, err error) {
	n := cr.Cfg.Network
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(cr.Init.PID), "ns/net"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Field, err)
	}
	defer netns.Close()
	unlock, err := cr.lockBridges(unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return network.Connect(netns, n.Interfaces, cr.ID, held)
}

// lockBridges keeps bridges from being removed while somebody else of the same root finds
// one and adds a port to it: the kernel would remove one with ports without a word. The
// root directory is the lock file, so that there is nothing to leave behind.
func (cr *Creation) lockBridges(how int) (unlock func(), err error) {
	root, err := os.OpenFile(cr.Root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(root.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(&os.PathError{Op: "flock", Path: cr.Root, Err: err}, root.Close())
		}
		return func() { _ = root.Close() }, nil
	}
}

// removeBridges undoes the making of bridges, unless others use them by now.
func (cr *Creation) removeBridges(names []string) error {
	unlock, err := cr.lockBridges(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	return network.RemoveBridges(names)
}

// setsNetwork says whether sysctls may be about interfaces, which must exist by then.
func setsNetwork(sysctls []configs.Sysctl) bool {
	return slices.ContainsFunc(sysctls, func(s configs.Sysctl) bool { return strings.HasPrefix(s.Key, "net/") })
}

// MoveNetDevices moves linux.netDevices into the container. Init is in its network
// namespace by then and, not reaped, still owns its number in /proc. It is done
// before the hooks, which may configure the devices, and before the sysctls, which may
// name them.
func (cr *Creation) MoveNetDevices() error {
	if len(cr.Cfg.NetDevices) == 0 {
		return nil
	}
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(cr.Init.PID), "ns/net"))
	if err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	defer netns.Close()
	if cr.devices, err = network.MoveDevices(netns, cr.Cfg.NetDevices); err != nil {
		return err
	}
	// Before init is killed: with its namespace a virtual device would die, too.
	cr.Undo.Push("move network devices back", cr.devices.Back)
	return nil
}
