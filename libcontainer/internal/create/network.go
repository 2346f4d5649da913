// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// The files for name resolution, in the state directory.
const (
	hostsFile  = "hosts"
	resolvFile = "resolv.conf"
)

// planNetwork names the interfaces and saves the names in the state before it makes any of them.
// If this process is killed, a delete finds them.
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
		// A bridge without an address of its own takes the lowest address of its ports.
		// This one must not be the lowest, because it comes and goes.
		v.HostMAC = macOf(own, 0xfe)
		if v.MAC == (configs.HardwareAddr{}) {
			v.MAC = containerMAC(v, own)
		}
		cr.Saved.Network = append(cr.Saved.Network, record.NewInterface(v))
	}
	return cr.planNameFiles(n)
}

// containerMAC derives the MAC address from the first IP address. A container that is created again
// then has the same one, and its neighbours' ARP entries stay valid.
func containerMAC(v *configs.Veth, own uint64) configs.HardwareAddr {
	if len(v.Addresses) > 0 {
		own = deriveID(v.Bridge, v.Addresses[0].Addr().String())
	}
	return macOf(own, 0x02)
}

// deriveID returns a hash of texts, as unique as 64 bits can be.
func deriveID(texts ...string) uint64 {
	h := fnv.New64a()
	for _, t := range texts {
		_, _ = h.Write([]byte(t)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// macOf returns a locally administered unicast address.
func macOf(n uint64, first byte) configs.HardwareAddr {
	return configs.HardwareAddr{first, byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// planNameFiles writes the files for name resolution into the state directory and adds bind mounts
// of them. The image is not changed, and a read-only root file system can have them too if it
// has files with these names.
//
// The mounts are read-only, because the state directory is on a tmpfs of the host, which the
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
		// Regardless of the umask, every user of the container may read it.
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

// StartNetwork starts making the interfaces in the background: most of the time goes into waiting
// for a lock in the kernel. The function it returns waits for the result. With held, no
// packets pass until network.Release.
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
		span := cr.Trace.Begin(trace.Network, "make the network interfaces")
		bridges, err := cr.connectNetwork(held)
		done <- result{bridges, span.End(err)}
	}()
	return func() error {
		span := cr.Begin("wait for the network")
		r := <-done
		_ = span.End(r.err)
		if len(r.bridges) > 0 {
			cr.Undo.Push("remove the bridge", func() error { return cr.removeBridges(r.bridges) })
		}
		if r.err == nil {
			// The kernel removes them with the namespace, but only some time later.
			list := cr.Cfg.Network.Interfaces
			cr.Undo.Push("remove the network interfaces", func() error { return network.Disconnect(list) })
		}
		return r.err
	}
}

// connectNetwork makes the interfaces. Init is already in its network namespace.
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
	made, err := network.Connect(netns, n.Interfaces, cr.ID, held)
	return made, codes.With(codes.NetworkFailed, err)
}

// lockBridges locks the bridges of all containers below the same root, so that none is removed
// while another command finds it and adds a port: the kernel would remove a bridge with ports
// silently. The root directory is the lock file, so that nothing is left behind.
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

// removeBridges removes bridges that this command made, unless others use them by now.
func (cr *Creation) removeBridges(names []string) error {
	unlock, err := cr.lockBridges(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	return network.RemoveBridges(names)
}

// MoveNetDevices moves linux.netDevices into the container. Init is already in its network
// namespace. It has not been reaped, so its number in /proc is still its own. This comes before
// the hooks, which may configure the devices, and before the sysctls, which may name them.
func (cr *Creation) MoveNetDevices() error {
	if len(cr.Cfg.NetDevices) == 0 {
		return nil
	}
	span := cr.Begin("move network devices")
	return span.End(codes.With(codes.NetworkFailed, cr.moveNetDevices()))
}

func (cr *Creation) moveNetDevices() error {
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(cr.Init.PID), "ns/net"))
	if err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	defer netns.Close()
	if cr.devices, err = network.MoveDevices(netns, cr.Cfg.NetDevices); err != nil {
		return err
	}
	// Before init is killed: a virtual device would be removed with its namespace.
	cr.Undo.Push("move network devices back", cr.devices.Back)
	return nil
}
