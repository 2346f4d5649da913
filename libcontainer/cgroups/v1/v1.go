// SPDX-License-Identifier: Apache-2.0

// Package v1 manages a container's cgroups where the controllers are on cgroup
// v1 hierarchies (cgroups(7)): all that are mounted, named ones such as
// name=systemd among them, and beside them the controller-less v2 hierarchy of
// a hybrid host.
//
// It speaks to no systemd, and does nothing with v2 controllers. Its one invariant: the
// container is in a cgroup of the same path in each of the hierarchies that
// [Manager.Paths] tells, and in none that it does not tell.
package v1

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Manager controls the cgroups of one container.
type Manager struct {
	cgroup      *configs.Cgroup
	hierarchies []hierarchy
	// planned says that Create has not succeeded: what has the container's paths, but
	// for the birthplace, is somebody else's.
	planned bool
	// dropped is why a rootless container has no cgroup of a controller.
	dropped map[string]error
	// journal notes what an update overwrites; nil for a new container.
	journal *cgroupfs.Journal
}

// hierarchy is one mounted hierarchy with the container's place in it.
type hierarchy struct {
	// controllers and "name=…" of it; none for the v2 one.
	controllers []string
	// mount is where it is mounted, base the cgroup from where the container's
	// path counts, dir the container's cgroup.
	mount, base, dir cgroupfs.Dir
	v2               bool
	// born says that the container's first process is in it already: CreateBirthplace
	// has made it, or systemd has.
	born bool
	// found says that the cgroup was there before the container, which does not make it
	// the container's to remove.
	found bool
}

// New plans the cgroups of container id; hybrid says that there is a v2
// hierarchy on /sys/fs/cgroup/unified.
func New(c *configs.Cgroup, id string, hybrid bool) (*Manager, error) {
	p, absolute, err := cgroupfs.CleanPath(c.Path, id)
	if err != nil {
		return nil, err
	}
	hs, err := discover(absolute, hybrid)
	if err != nil {
		return nil, err
	}
	for i := range hs {
		hs[i].dir = hs[i].base + "/" + cgroupfs.Dir(p)
	}
	return &Manager{cgroup: c, hierarchies: hs, planned: true}, nil
}

// Load is the manager of a container that exists, from Paths as saved. It looks
// at nothing on the host.
func Load(paths map[string]string, c *configs.Cgroup) *Manager {
	keys := make([]string, 0, len(paths))
	for k := range paths {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m := &Manager{cgroup: c}
	for _, k := range keys {
		dir := cgroupfs.Dir(paths[k])
		i := slices.IndexFunc(m.hierarchies, func(h hierarchy) bool { return h.dir == dir })
		if i < 0 {
			i = len(m.hierarchies)
			m.hierarchies = append(m.hierarchies, hierarchy{mount: mountOf(dir), dir: dir, v2: k == "", found: cgroupfs.Claim(c.Claims[k]).Found()})
		}
		if k != "" {
			m.hierarchies[i].controllers = append(m.hierarchies[i].controllers, k)
		}
	}
	return m
}

// mountOf is the mount point of the hierarchy that dir is in, provided that it
// is one of those on /sys/fs/cgroup.
func mountOf(dir cgroupfs.Dir) cgroupfs.Dir {
	rest, ok := strings.CutPrefix(string(dir), cgroupfs.Root+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return cgroupfs.Dir(cgroupfs.Root + "/" + name)
}

// Paths are the container's directories by controller or name; "" is the key of
// the v2 hierarchy.
func (m *Manager) Paths() map[string]string {
	paths := make(map[string]string, len(m.hierarchies))
	for i := range m.hierarchies {
		h := &m.hierarchies[i]
		if h.v2 {
			paths[""] = string(h.dir)
		}
		for _, c := range h.controllers {
			paths[c] = string(h.dir)
		}
	}
	return paths
}

// Claims are the container's to its directories, with the keys of Paths.
func (m *Manager) Claims() (map[string]string, error) {
	claims := make(map[string]string, len(m.hierarchies))
	for i := range m.hierarchies {
		h := &m.hierarchies[i]
		claim, err := h.dir.Claim(h.found)
		if err != nil {
			return nil, err
		}
		if h.v2 {
			claims[""] = string(claim)
		}
		for _, c := range h.controllers {
			claims[c] = string(claim)
		}
	}
	return claims, nil
}

// Hierarchies describe the hierarchies that the container is in.
func (m *Manager) Hierarchies() []cgroupfs.Hierarchy {
	all := make([]cgroupfs.Hierarchy, 0, len(m.hierarchies))
	for i := range m.hierarchies {
		all = append(all, m.hierarchies[i].describe())
	}
	return all
}

func (h *hierarchy) describe() cgroupfs.Hierarchy {
	d := cgroupfs.Hierarchy{
		Name: string(h.mount[strings.LastIndexByte(string(h.mount), '/')+1:]),
		Path: string(h.dir),
		V2:   h.v2,
	}
	if h.v2 {
		return d
	}
	d.Options = strings.Join(h.controllers, ",")
	named := func(c string) bool { return strings.HasPrefix(c, "name=") }
	if !slices.ContainsFunc(h.controllers, func(c string) bool { return !named(c) }) {
		d.Options = "none," + d.Options
	}
	if d.Name == "" {
		d.Name = strings.TrimPrefix(strings.Join(h.controllers, ","), "name=")
	}
	for _, c := range h.controllers {
		if c != d.Name && !named(c) {
			d.Links = append(d.Links, c)
		}
	}
	return d
}

// find is the hierarchy of a controller, nil when the container is in none.
func (m *Manager) find(controller string) *hierarchy {
	for i := range m.hierarchies {
		if slices.Contains(m.hierarchies[i].controllers, controller) {
			return &m.hierarchies[i]
		}
	}
	return nil
}

// unified is the v2 hierarchy of a hybrid host, nil elsewhere.
func (m *Manager) unified() *hierarchy {
	for i := range m.hierarchies {
		if m.hierarchies[i].v2 {
			return &m.hierarchies[i]
		}
	}
	return nil
}

// members is the cgroup to ask who is in the container: that of the freezer,
// since it stands still while the freezer holds them, or any other.
func (m *Manager) members() (cgroupfs.Dir, error) {
	if h := m.find("freezer"); h != nil {
		return h.dir, nil
	}
	if len(m.hierarchies) == 0 {
		return "", cgroupfs.ErrNoCgroup
	}
	return m.hierarchies[0].dir, nil
}

// Pids lists the processes in the container's cgroup and below it.
func (m *Manager) Pids() ([]int, error) {
	d, err := m.members()
	if err != nil {
		return nil, err
	}
	return d.Pids()
}

// Signal sends sig to every process of the container.
func (m *Manager) Signal(sig unix.Signal) error {
	d, err := m.members()
	if err != nil {
		return err
	}
	if m.find("freezer") == nil && m.unified() == nil {
		return d.SignalEach(sig, nil)
	}
	return d.SignalEach(sig, m)
}

// Kill kills every process of the container.
func (m *Manager) Kill() error {
	if m.planned {
		return nil
	}
	d, err := m.members()
	if err != nil {
		return err
	}
	freezer := m.find("freezer")
	if u := m.unified(); u != nil {
		if ok, err := u.dir.KillAtOnce(); ok || err != nil {
			if err == nil && freezer != nil {
				// A process that the v1 freezer holds cannot die.
				err = thawAll(freezer.dir)
			}
			return err
		}
	}
	if freezer == nil {
		return d.KillEach(nil)
	}
	return d.KillEach(func(on bool) error {
		if on {
			return freeze(d)
		}
		return thawAll(d)
	})
}

// Destroy removes the cgroups and those below them, but for the ones that the container
// has found. The v2 one goes first, for it alone can tell when the last process has left.
func (m *Manager) Destroy() error {
	deadline := time.Now().Add(cgroupfs.Patience)
	var errs []error
	if u := m.unified(); u != nil && (u.born || !m.planned) {
		errs = append(errs, u.dir.RemoveOwn(u.found, deadline))
	}
	if m.planned {
		return errors.Join(errs...)
	}
	for i := range m.hierarchies {
		if h := &m.hierarchies[i]; !h.v2 {
			errs = append(errs, h.dir.RemoveOwn(h.found, deadline))
		}
	}
	return errors.Join(errs...)
}

// Delegate does nothing: with a directory of v1 come its limits and more of the
// host's (runtime-spec, config-linux.md, "Cgroup ownership").
func (m *Manager) Delegate(int) error { return nil }

// Unit is none: systemd knows nothing of the cgroups.
func (m *Manager) Unit() (name string, user int) { return "", 0 }

// Adopt does nothing: every process is born in the cgroup of the v2 hierarchy, and
// enters the others by itself.
func (m *Manager) Adopt(int) error { return nil }

// EnterDelegated does nothing, since there is no delegated cgroup.
func (m *Manager) EnterDelegated(int) error { return nil }

// Placement opens what a new process needs to be placed.
func (m *Manager) Placement() (*cgroupfs.Placement, error) {
	p := &cgroupfs.Placement{Tasks: make([]*os.File, 0, len(m.hierarchies))}
	kept := make([]hierarchy, 0, len(m.hierarchies))
	for _, h := range m.hierarchies {
		if err := h.open(p); err != nil {
			if m.tolerates(err) {
				m.drop(&h, err)
				continue
			}
			return nil, errors.Join(fmt.Errorf("place in cgroup %s: %w", h.dir, err), p.Close())
		}
		kept = append(kept, h)
	}
	m.hierarchies = kept
	return p, nil
}

func (h *hierarchy) open(p *cgroupfs.Placement) error {
	if h.born {
		return nil
	}
	if h.v2 {
		f, err := h.dir.Open()
		p.Dir = f
		return err
	}
	f, err := h.dir.OpenWrite("tasks")
	if err != nil {
		return err
	}
	p.Tasks = append(p.Tasks, f)
	return nil
}

// tolerates says whether err is no reason to give up: a rootless container whose
// config asks for no certain cgroup does without those it may not have. Of a user's
// systemd it cannot ask for more than one: that has the hierarchy of its units alone. Limits
// on them fail later, in Set.
func (m *Manager) tolerates(err error) bool {
	return m.cgroup.Rootless && (m.cgroup.Path == "" || m.cgroup.Systemd) && cgroupfs.Permission(err)
}

func (m *Manager) drop(h *hierarchy, err error) {
	if m.dropped == nil {
		m.dropped = make(map[string]error)
	}
	for _, c := range h.controllers {
		m.dropped[c] = err
	}
}

// missing explains that the container is in no cgroup of the controller.
func (m *Manager) missing(controller string) error {
	if err := m.dropped[controller]; err != nil {
		return fmt.Errorf("no permission for a cgroup of the %s controller: %w", controller, err)
	}
	return fmt.Errorf("the %s controller is not mounted as a cgroup v1 hierarchy ("+configs.PhraseNoHierarchy+")", controller, controller)
}
