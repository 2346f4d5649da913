// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

// subgroup returns the cgroup that processes are placed in: the container's own, unless the
// plan has one below it.
func (m *Manager) subgroup() cgroupfs.Dir {
	if m.cgroup.Subgroup == "" {
		return m.dir
	}
	return m.dir + "/" + cgroupfs.Dir(m.cgroup.Subgroup)
}

// delegatee returns the cgroup whose owner may become the container's root.
func (m *Manager) delegatee() cgroupfs.Dir {
	if m.cgroup.Delegated == "" {
		return m.subgroup()
	}
	return m.subgroup() + "/" + cgroupfs.Dir(m.cgroup.Delegated)
}

// makeBelow creates the cgroups below the container's. All controllers are passed on to the
// first one now, because a cgroup cannot pass on controllers once it has processes. For the
// same reason the first one passes them on only when init has left it: a cgroup that does so
// accepts no processes.
//
// Process pid, if not 0, is in the container's cgroup and is moved down to the one for
// processes.
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

// leaveTo moves process pid, if not 0, from the container's cgroup to d below it, and passes
// the controllers on.
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

// EnterDelegated moves process pid to the delegated cgroup, and enables all controllers for it,
// so that the container can pass them on. The container may not enable them itself from inside.
// The process is moved from outside, by its pid, although this makes the kernel wait for a
// grace period. As root of a user namespace, init itself may not leave a cgroup that it does
// not own on kernels that check the permissions of the writer, not of the opener of the file
// (before 5.16).
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
