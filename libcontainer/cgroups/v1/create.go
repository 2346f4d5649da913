// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

// CreateBirthplace creates and opens the cgroup in the v2 hierarchy of a hybrid host, if there
// is one. It has no limits, so an ordinary user who may use only v1 cgroups does without it.
func (m *Manager) CreateBirthplace() (*os.File, error) {
	h := m.unified()
	if h == nil {
		return nil, nil
	}
	var made cgroupfs.Made
	err := m.createIn(h, &made, 0)
	if err == nil && m.cgroup.Rootless {
		err = cgroupfs.MayEnter(h.mount, h.dir)
	}
	if err == nil {
		var dir *os.File
		if dir, err = h.dir.Open(); err == nil {
			h.born = true
			return dir, nil
		}
	}
	err = errors.Join(err, made.Undo())
	if m.cgroup.Rootless && cgroupfs.Permission(err) {
		m.drop(h, err)
		m.hierarchies = slices.DeleteFunc(m.hierarchies, func(h hierarchy) bool { return h.v2 })
		return nil, nil
	}
	return nil, err
}

// Create creates the container's cgroup in each hierarchy. On error it removes what it created.
func (m *Manager) Create() error { return m.create(0) }

// Take takes over the cgroups that systemd has created around process pid, and creates the
// others: systemd does not know every controller. It is called instead of Create.
func (m *Manager) Take(pid int) error { return m.create(pid) }

// create creates the cgroups. With a pid, some may exist and be in use already.
func (m *Manager) create(pid int) (err error) {
	if len(m.hierarchies) == 0 && (!m.cgroup.Rootless || m.cgroup.Path != "") {
		return cgroupfs.PathError(fmt.Errorf("no cgroup hierarchy is mounted on %s", cgroupfs.Root))
	}
	made := make(cgroupfs.Made, 0, len(m.hierarchies))
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Undo())
		}
	}()
	kept := make([]hierarchy, 0, len(m.hierarchies))
	for _, h := range m.hierarchies {
		if err := m.createIn(&h, &made, pid); err != nil {
			if m.tolerates(err) {
				m.drop(&h, err)
				continue
			}
			return err
		}
		kept = append(kept, h)
	}
	m.hierarchies = kept
	if err := m.setRealtime(); err != nil {
		return err
	}
	m.planned = false
	return nil
}

func (m *Manager) createIn(h *hierarchy, made *cgroupfs.Made, pid int) error {
	if h.born {
		return nil
	}
	existed, err := cgroupfs.Make(h.base, h.dir, made)
	if err != nil {
		return cgroupfs.PathError(err)
	}
	if existed && pid == 0 {
		if err := cgroupfs.CheckUnused(h.dir, h.frozen); err != nil {
			return err
		}
		h.found = true
	}
	if h.v2 && pid != 0 {
		// Usually it is there: systemd tracks its units in this hierarchy.
		h.born = true
		return h.dir.Enter(pid)
	}
	if slices.Contains(h.controllers, "cpuset") {
		f := filler{top: h.mount, made: *made}
		if _, _, err := f.fill(h.dir); err != nil {
			return cgroupfs.PathError(err)
		}
	}
	return nil
}

// frozen reports whether a process that enters the cgroup would be frozen.
func (h *hierarchy) frozen() (bool, error) {
	if h.v2 {
		return h.dir.Frozen()
	}
	if slices.Contains(h.controllers, "freezer") {
		return frozen(h.dir)
	}
	return false, nil
}

// filler sets the CPUs and memory nodes of new cpuset cgroups to those of their parents: on v1
// they are empty at first, and then no process can enter.
type filler struct {
	top  cgroupfs.Dir
	made cgroupfs.Made // known to be empty
}

// fill fills d if it is empty, and returns its values.
func (f *filler) fill(d cgroupfs.Dir) (cpus, mems string, err error) {
	if !slices.Contains(f.made, d) {
		if cpus, err = d.Read("cpuset.cpus"); err != nil {
			return "", "", err
		}
		if mems, err = d.Read("cpuset.mems"); err != nil {
			return "", "", err
		}
		if d == f.top || (cpus != "" && mems != "") {
			return cpus, mems, nil
		}
	}
	parentCPUs, parentMems, err := f.fill(d.Parent())
	if err != nil {
		return "", "", err
	}
	if cpus == "" {
		cpus = parentCPUs
		if err := d.Write("cpuset.cpus", cpus); err != nil {
			return "", "", fmt.Errorf("cgroup %s: %w", d, err)
		}
	}
	if mems == "" {
		mems = parentMems
		if err := d.Write("cpuset.mems", mems); err != nil {
			return "", "", fmt.Errorf("cgroup %s: %w", d, err)
		}
	}
	return cpus, mems, nil
}
