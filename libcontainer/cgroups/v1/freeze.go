// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"fmt"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// Freeze freezes or thaws every process, and waits until that is done.
func (m *Manager) Freeze(on bool) error {
	h := m.find("freezer")
	switch {
	case h == nil && len(m.hierarchies) == 0:
		return cgroupfs.ErrNoCgroup
	case h == nil && m.unified() != nil:
		return m.unified().dir.Freeze(on)
	case h == nil:
		return m.missing("freezer")
	case !on:
		return thaw(h.dir)
	}
	if err := freeze(h.dir); err != nil {
		return errors.Join(err, thaw(h.dir))
	}
	return nil
}

// Frozen reports whether the cgroup is frozen or freezing.
func (m *Manager) Frozen() (bool, error) {
	if h := m.find("freezer"); h != nil {
		return frozen(h.dir)
	}
	if u := m.unified(); u != nil {
		return u.dir.Frozen()
	}
	return false, nil
}

func frozen(d cgroupfs.Dir) (bool, error) {
	state, err := d.Read("freezer.state")
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cgroup %s: %w", d, err)
	}
	return state != "THAWED", nil
}

// freeze writes FROZEN until the kernel reports it. A process that was leaving the kernel, or
// forking, may have missed the first write; Documentation/cgroup-v1/freezer-subsystem.rst says
// to write again. There is no event for it, so there are growing pauses in between.
func freeze(d cgroupfs.Dir) error {
	deadline := time.Now().Add(cgroupfs.Patience)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if err := d.Write("freezer.state", "FROZEN"); err != nil {
			return fmt.Errorf("freeze cgroup %s: %w", d, err)
		}
		state, err := d.Read("freezer.state")
		if err != nil {
			return fmt.Errorf("freeze cgroup %s: %w", d, err)
		}
		switch {
		case state == "FROZEN":
			return nil
		case state != "FREEZING":
			return fmt.Errorf("freeze cgroup %s: freezer.state is %q", d, state)
		case !time.Now().Before(deadline):
			return fmt.Errorf("freeze cgroup %s: %w", d, cgroupfs.ErrTimeout)
		}
		// time.Sleep would first set up Go's poller.
		rest := unix.NsecToTimespec(int64(pause))
		_ = unix.Nanosleep(&rest, nil) // if a signal interrupts it, the pause is shorter
	}
}

// ThawAll thaws every process, also in cgroups below: on v1 a frozen process cannot even die,
// and a container that may write to its cgroups can freeze itself below the cgroup that Freeze
// acts on.
func (m *Manager) ThawAll() error {
	h := m.find("freezer")
	if h == nil {
		if u := m.unified(); u != nil {
			return u.dir.ThawFrozen()
		}
		return nil
	}
	return thawAll(h.dir)
}

func thawAll(d cgroupfs.Dir) error {
	if err := d.WriteAll("freezer.state", "THAWED"); err != nil {
		return fmt.Errorf("thaw cgroup %s: %w", d, err)
	}
	return nil
}

// thaw takes effect at once. A missing cgroup counts as thawed.
func thaw(d cgroupfs.Dir) error {
	err := d.Write("freezer.state", "THAWED")
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("thaw cgroup %s: %w", d, err)
	}
	return nil
}
