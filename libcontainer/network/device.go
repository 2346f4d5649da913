// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Moved is the set of the host's interfaces that have been moved into a container's network
// namespace. It can move them back as long as it is open.
type Moved struct {
	host, inside *namespace
	devices      []*device
}

// MoveDevices moves interfaces from the caller's network namespace into that of netns, which it
// does not close. Each interface gets its new name, gets back its permanent global addresses,
// which a move removes, and is set up (linux.netDevices of the runtime-spec). Routes are lost.
// On error every interface is back where it was.
//
// All of it is done from outside, over a socket that belongs to the other namespace, so that no
// thread of this process has to stay in it.
func MoveDevices(netns *os.File, devices []configs.NetDevice) (*Moved, error) {
	m, err := openBoth(netns)
	if err != nil {
		return nil, fmt.Errorf("linux.netDevices: %w", err)
	}
	for i := range devices {
		d := &device{}
		err := d.enter(m.host, m.inside, &devices[i])
		if err == nil {
			m.devices = append(m.devices, d)
			continue
		}
		err = fmt.Errorf("linux.netDevices[%q]: %w", devices[i].HostName, err)
		if berr := m.Back(); berr != nil {
			err = fmt.Errorf("%w (then, move network devices back: %w)", err, berr)
		}
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// openBoth opens the two namespaces and checks that they differ: within one namespace, a move
// would just rename an interface that is in use.
func openBoth(netns *os.File) (*Moved, error) {
	// The main thread always stays in the host's namespaces.
	file, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	same, err := sameFile(file, netns)
	if err != nil {
		return nil, err
	}
	if same {
		return nil, errors.New("unable to move network devices without a private NET namespace")
	}
	host, err := openNamespace(file)
	if err != nil {
		return nil, err
	}
	inside, err := openNamespace(netns)
	if err != nil {
		return nil, errors.Join(err, host.close())
	}
	return &Moved{host: host, inside: inside}, nil
}

func sameFile(a, b *os.File) (bool, error) {
	var sa, sb unix.Stat_t
	if err := unix.Fstat(int(a.Fd()), &sa); err != nil {
		return false, &os.PathError{Op: "fstat", Path: a.Name(), Err: err}
	}
	if err := unix.Fstat(int(b.Fd()), &sb); err != nil {
		return false, &os.PathError{Op: "fstat", Path: b.Name(), Err: err}
	}
	return sa.Dev == sb.Dev && sa.Ino == sb.Ino, nil
}

// Back moves everything back, in reverse order, with the old names and addresses, and sets up
// what was up. It may be called once.
func (m *Moved) Back() error {
	var all error
	for i := len(m.devices) - 1; i >= 0; i-- {
		d := m.devices[i]
		if err := d.leave(m.host, m.inside); err != nil {
			err = fmt.Errorf("%s: %w", d.hostName, err)
			if all != nil {
				err = fmt.Errorf("%w; %w", all, err)
			}
			all = err
		}
	}
	m.devices = nil
	return all
}

// Close closes the files that Back needs. The devices stay where they are. A nil Moved has no
// devices.
func (m *Moved) Close() error {
	if m == nil {
		return nil
	}
	return errors.Join(m.host.close(), m.inside.close())
}

// device is one interface to move, with what is needed to restore it.
type device struct {
	// hostName is the interface's own name, even if the config has an alternative name. name is
	// its name in the container.
	hostName, name string
	index          int
	up             bool
	addresses      []address
}

// enter moves the device into the container.
func (d *device) enter(host, inside *namespace, want *configs.NetDevice) error {
	l, err := host.link(want.HostName)
	if err != nil {
		return err
	}
	d.hostName, d.index, d.up = l.name, l.index, l.up
	if d.name, err = inside.freeName(want.Name); err != nil {
		return err
	}
	if d.addresses, err = host.addresses(l); err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	err = d.move(host, inside)
	if err == nil {
		return nil
	}
	if berr := d.leave(host, inside); berr != nil {
		err = fmt.Errorf("%w (then, move it back: %w)", err, berr)
	}
	return err
}

// move is the part of enter that makes changes. It does not set the link down first: the kernel
// does that itself after it has checked that the device may be moved. So a device that may not
// be moved keeps its routes.
func (d *device) move(host, inside *namespace) error {
	if err := host.send(d.index, inside, d.name); err != nil {
		return err
	}
	l, err := inside.link(d.name)
	if err != nil {
		return err
	}
	if err := inside.addAddresses(l, d.hostName, d.addresses); err != nil {
		return err
	}
	return inside.setUp(l.index)
}

// leave moves the device back to the host, unless it is still there.
func (d *device) leave(host, inside *namespace) error {
	if here, err := host.link(d.hostName); err == nil && here.index == d.index {
		return nil
	}
	there, err := inside.link(d.name)
	if errors.Is(err, errNoLink) && d.name != d.hostName {
		// If a rename failed, it still has its old name.
		there, err = inside.link(d.hostName)
	}
	if err != nil {
		return err
	}
	if err := inside.send(there.index, host, d.hostName); err != nil {
		return err
	}
	here, err := host.link(d.hostName)
	if err != nil {
		return err
	}
	if err := host.addAddresses(here, d.hostName, d.addresses); err != nil {
		return err
	}
	if !d.up {
		return nil
	}
	return host.setUp(here.index)
}
