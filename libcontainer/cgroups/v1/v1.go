// SPDX-License-Identifier: Apache-2.0

// Package v1 manages a container's cgroups on hosts whose controllers are on cgroup v1
// hierarchies (cgroups(7)): all that are mounted, including named ones such as name=systemd,
// and also the v2 hierarchy without controllers of a hybrid host.
//
// It does not use systemd or v2 controllers. The container is always in a cgroup of the same
// path in each of the hierarchies in [Manager.Paths], and in no others.
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
	// planned means that Create has not succeeded yet: cgroups at the container's paths, except
	// for the birthplace, belong to somebody else.
	planned bool
	// dropped has the reasons why a rootless container has no cgroup of a controller.
	dropped map[string]error
	// journal records what an update overwrites; nil for a new container.
	journal *cgroupfs.Journal
	// draft is set for limits that are only listed.
	draft *cgroupfs.Draft
}

// hierarchy is one mounted hierarchy with the container's cgroup in it.
type hierarchy struct {
	// controllers are those of the hierarchy, and "name=…"; none for v2.
	controllers []string
	// mount is the mount point, base the cgroup that the container's path is relative to, and
	// dir the container's cgroup.
	mount, base, dir cgroupfs.Dir
	v2               bool
	// born means that the container's first process is in it already, because CreateBirthplace
	// or systemd has created it.
	born bool
	// found means that the cgroup existed before the container, so that it is not removed with
	// it.
	found bool
}

// New plans the cgroups of container id. hybrid means that there is a v2 hierarchy on
// /sys/fs/cgroup/unified.
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

// Load returns the manager of an existing container, from its saved Paths. It does not look at
// the host.
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

// mountOf returns the mount point of the hierarchy that dir is in, if it is on /sys/fs/cgroup.
func mountOf(dir cgroupfs.Dir) cgroupfs.Dir {
	rest, ok := strings.CutPrefix(string(dir), cgroupfs.Root+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return cgroupfs.Dir(cgroupfs.Root + "/" + name)
}

// Paths returns the container's directories by controller or name; "" is the key of the v2
// hierarchy.
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

// Claims returns the container's claims to its directories, with the keys of Paths.
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

// Hierarchies returns the hierarchies that the container is in.
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

// find returns the hierarchy of a controller, nil if the container is not in it.
func (m *Manager) find(controller string) *hierarchy {
	for i := range m.hierarchies {
		if slices.Contains(m.hierarchies[i].controllers, controller) {
			return &m.hierarchies[i]
		}
	}
	return nil
}

// unified returns the v2 hierarchy of a hybrid host, nil on others.
func (m *Manager) unified() *hierarchy {
	for i := range m.hierarchies {
		if m.hierarchies[i].v2 {
			return &m.hierarchies[i]
		}
	}
	return nil
}

// members returns the cgroup in which to look for the container's processes: that of the
// freezer, because the list does not change while it is frozen, or else any other.
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
				// A process that the v1 freezer has frozen cannot die.
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

// Destroy removes the cgroups and those below them, except for those that existed before the
// container. The v2 one comes first, because only it can report when the last process has left.
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

// Delegate does nothing: whoever owns a directory of v1 can also change its limits, and affect
// the host (runtime-spec, config-linux.md, "Cgroup ownership").
func (m *Manager) Delegate(int) error { return nil }

// Unit returns none: systemd does not know the cgroups.
func (m *Manager) Unit() (name string, user int) { return "", 0 }

// Adopt does nothing: every process is started in the cgroup of the v2 hierarchy, and enters
// the others by itself.
func (m *Manager) Adopt(int) error { return nil }

// EnterDelegated does nothing, because there is no delegated cgroup.
func (m *Manager) EnterDelegated(int) error { return nil }

// Placement opens the files with which a new process is placed.
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

// tolerates reports whether err can be ignored: a rootless container without a cgroupsPath does
// without the cgroups that it may not create. With a user's systemd there is only one, in the
// hierarchy of systemd's units. Limits of missing cgroups fail later, in Set.
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

// missing returns the error for a controller whose cgroup the container does not have.
func (m *Manager) missing(controller string) error {
	if err := m.dropped[controller]; err != nil {
		return fmt.Errorf("no permission for a cgroup of the %s controller: %w", controller, err)
	}
	return fmt.Errorf("the %s controller is not mounted as a cgroup v1 hierarchy ("+configs.PhraseNoHierarchy+")", controller, controller)
}
