// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/systemd"
	"github.com/berth-run/berth/libcontainer/cgroups/v1"
	"github.com/berth-run/berth/libcontainer/cgroups/v2"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// unit is the manager of cgroups that systemd creates: those of a scope, which systemd starts
// around the container's first process, or of a slice, which processes enter as they do without
// systemd. Limits are passed to systemd if it has properties for them, so that it does not undo
// them later. The files are also written directly, because systemd rounds some values and knows
// only some files.
//
//	runtime                                         systemd
//	clone of init  ∥  connect, properties
//	StartTransientUnit(scope, PIDs=[init])   ─▶     makes the cgroup, limits it,
//	                                                  moves init into it
//	                                         ◀─     JobRemoved
//	limits unknown to systemd, subgroup
//	(init goes on)
type unit struct {
	files
	unit   *systemd.Unit
	cgroup *configs.Cgroup
	// running means that there is a unit with processes, to which Adopt adds others. loaded
	// means that it belongs to an existing container.
	running, loaded bool
}

// files is the manager of the cgroup file systems.
type files interface {
	Manager
	// Take takes over what systemd has created around process pid. It is called instead of
	// Create.
	Take(pid int) error
}

func newUnit(c *configs.Cgroup, id string, mode Mode) (Manager, error) {
	u, err := systemd.Plan(c, id, mode == Unified)
	if err != nil {
		return nil, err
	}
	placed := *c
	placed.Path = u.Cgroup()
	m := &unit{unit: u, cgroup: c}
	if mode == Unified {
		m.files, err = managedFiles(v2.New(&placed, id))
	} else {
		m.files, err = managedFiles(v1.New(&placed, id, mode == Hybrid))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func loadUnit(paths map[string]string, c *configs.Cgroup, unified bool) Manager {
	m := &unit{unit: systemd.Load(c.Unit, c.Rootless, c.UnitUser, unified), cgroup: c, running: true, loaded: true}
	if unified {
		m.files = v2.Load(paths, c)
	} else {
		m.files = v1.Load(paths, c)
	}
	return m
}

// managedFiles is like managed, for files.
func managedFiles[M files](m M, err error) (files, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *unit) Unit() (name string, user int) { return m.unit.Name(), m.unit.User() }

// Claims returns those of the files. If systemd has started a slice for the container, its
// cgroup counts as created by the container.
func (m *unit) Claims() (map[string]string, error) {
	claims, err := m.files.Claims()
	if m.unit.Started() {
		for key, claim := range claims {
			claims[key] = string(cgroupfs.Claim(claim).Made())
		}
	}
	return claims, err
}

// found reports whether the unit existed before the container; only a slice may.
func (m *unit) found() bool {
	if !m.loaded {
		return !m.unit.Started()
	}
	claim, ok := m.cgroup.Claims[""]
	if name, v1 := m.cgroup.Claims["name=systemd"]; v1 {
		claim, ok = name, true
	}
	return ok && m.unit.IsSlice() && cgroupfs.Claim(claim).Found()
}

// CreateBirthplace starts a slice. A scope cannot exist before its first process.
func (m *unit) CreateBirthplace() (*os.File, error) {
	if !m.unit.IsSlice() {
		return nil, nil
	}
	if err := m.unit.Start(0); err != nil {
		return nil, err
	}
	return m.files.CreateBirthplace()
}

// Create does what is possible for a scope without a process: it connects to systemd.
func (m *unit) Create() error {
	if !m.unit.IsSlice() {
		return m.unit.Connect()
	}
	if err := m.unit.Start(0); err != nil {
		return err
	}
	return m.files.Create()
}

// Adopt starts the scope around a container's first process. It lets systemd put further
// processes into the same cgroup.
func (m *unit) Adopt(pid int) error {
	if m.running {
		return m.unit.Attach(m.cgroup.Subgroup, pid)
	}
	if m.unit.IsSlice() {
		return nil
	}
	if err := m.unit.Start(pid); err != nil {
		return err
	}
	m.running = true
	return m.Take(pid)
}

// Set writes the limits that the unit was started with.
func (m *unit) Set(r *specs.LinuxResources) error {
	if err := m.unit.Settle(); err != nil {
		return err
	}
	return m.files.Set(r)
}

// Update first writes the limits, so that the kernel checks them. Then it passes them to
// systemd, which writes those it knows, rounded. So they are written once more.
func (m *unit) Update(r *specs.LinuxResources) (undo func() error, err error) {
	rewrite, err := m.files.Update(r)
	if err != nil {
		return nil, err
	}
	restore, err := m.unit.Update(r)
	if err != nil {
		return nil, errors.Join(err, rewrite())
	}
	undo = func() error { return errors.Join(restore(), rewrite()) }
	if err := m.files.Set(r); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// Destroy stops the unit, and systemd removes most of its cgroups. systemd does this by itself
// when the last process has ended, so often there is nothing to do. But systemd may still be
// executing the last request of a create that was killed.
//
// A slice that existed before, with everything in it, is not stopped.
func (m *unit) Destroy() error {
	return errors.Join(m.unit.Disconnect(), m.destroy())
}

func (m *unit) destroy() error {
	if m.found() {
		return m.files.Destroy()
	}
	if !m.running || m.cgroup.Unfinished || m.exists() {
		if err := m.unit.Stop(); err != nil {
			return errors.Join(err, m.files.Destroy())
		}
	}
	return m.files.Destroy()
}

// exists reports whether one of the cgroups that systemd creates still exists.
func (m *unit) exists() bool {
	paths := m.Paths()
	dir, ok := paths[""]
	if !ok {
		dir = paths["name=systemd"]
	}
	_, err := os.Lstat(dir)
	return !errors.Is(err, os.ErrNotExist)
}
