// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

// subgroup is the cgroup that processes are placed in: the container's own, unless the
// plan has one below that.
func (m *Manager) subgroup() cgroupfs.Dir {
	if m.cgroup.Subgroup == "" {
		return m.dir
	}
	return m.dir + "/" + cgroupfs.Dir(m.cgroup.Subgroup)
}

// delegatee is the cgroup that the container's root may be made the owner of.
func (m *Manager) delegatee() cgroupfs.Dir {
	if m.cgroup.Delegated == "" {
		return m.subgroup()
	}
	return m.subgroup() + "/" + cgroupfs.Dir(m.cgroup.Delegated)
}

// makeBelow makes the cgroups below the container's. All controllers are passed on to the
// first one, since a cgroup with processes passes nothing on, and could not later. For the
// same reason the first one passes them on only when init has left it: one that does takes
// no processes.
//
// Process pid, if it is not 0, is in the container's cgroup, and moved down to the one
// for processes.
func (m *Manager) makeBelow(made *cgroupfs.Made, pid int) error {
	above := m.dir
	for _, d := range [...]cgroupfs.Dir{m.subgroup(), m.delegatee()} {
		if d == above {
			continue
		}
		if _, err := cgroupfs.Make(above, d, made); err != nil {
			return cgroupfs.PathError(err)
		}
		if above == m.dir {
			if err := m.leaveTo(d, pid); err != nil {
				return err
			}
		}
		if err := checkType(d); err != nil {
			return err
		}
		above = d
	}
	return nil
}

// leaveTo moves process pid, if it is not 0, from the container's cgroup to d below it,
// and passes the controllers on.
func (m *Manager) leaveTo(d cgroupfs.Dir, pid int) error {
	if pid != 0 {
		if err := d.Enter(pid); err != nil {
			return err
		}
	}
	if err := m.passOn(m.dir); err != nil {
		return cgroupfs.PathError(fmt.Errorf("cgroup %s: %w", m.dir, err))
	}
	return nil
}

// EnterDelegated moves process pid on to the delegated cgroup, and has that get all
// controllers, so that the container, which may not do that from inside, has them to pass
// on itself. The process is moved from outside, by its
// number, although that makes the kernel wait for a grace period: init itself, as the
// root of a user namespace, may not leave a cgroup that it does not own where the kernel
// asks for the rights of who writes and not of who has opened the file (before 5.16).
func (m *Manager) EnterDelegated(pid int) error {
	if m.dir == "" || m.cgroup.Delegated == "" {
		return nil
	}
	d := m.delegatee()
	if err := d.Enter(pid); err != nil {
		return err
	}
	if above := m.subgroup(); above != d {
		if err := m.passOn(above); err != nil {
			return cgroupfs.PathError(fmt.Errorf("cgroup %s: %w", above, err))
		}
	}
	return nil
}
