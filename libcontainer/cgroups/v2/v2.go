// SPDX-License-Identifier: Apache-2.0

// Package v2 manages a container's cgroup on hosts whose controllers are all on the cgroup v2
// hierarchy (Documentation/admin-guide/cgroup-v2.rst).
//
// It does not use systemd. The container is always in one cgroup, with every controller that
// the cgroups above allow.
package v2

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/devices"
	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Manager controls the cgroup of one container.
type Manager struct {
	cgroup *configs.Cgroup
	// root is the mount point of the hierarchy.
	root cgroupfs.Dir
	// dir is the container's cgroup, "" if it has none.
	dir cgroupfs.Dir
	// planned means that Create has not succeeded yet: a cgroup at the container's path belongs
	// to somebody else.
	planned bool
	// found means that dir existed before Create, so that it is not removed with the container.
	// fresh means that Create has created it, and it has no device filter yet.
	found, fresh bool
	// born means that the container's first process is in it already, because CreateBirthplace
	// or systemd has created it.
	born bool
	// refused has the reasons why controllers could not be enabled, by name.
	refused map[string]error
	// denied is the reason why a rootless container has no cgroup.
	denied error
	// journal records what an update overwrites; nil for a new container.
	journal *cgroupfs.Journal
	// draft is set for limits that are only listed.
	draft *cgroupfs.Draft
}

// New plans the cgroup of container id.
func New(c *configs.Cgroup, id string) (*Manager, error) {
	return newAt(cgroupfs.Root, c, id)
}

func newAt(root cgroupfs.Dir, c *configs.Cgroup, id string) (*Manager, error) {
	p, absolute, err := cgroupfs.CleanPath(c.Path, id)
	if err != nil {
		return nil, err
	}
	base := ""
	if !absolute {
		text, err := cgroupfs.ReadProc("/proc/self/cgroup")
		if err != nil {
			return nil, err
		}
		base = defaultParent(cgroupfs.ParseMemberships(text))
	}
	return &Manager{cgroup: c, root: root, dir: root + cgroupfs.Dir(base+"/"+p), planned: true}, nil
}

// defaultParent returns the cgroup above the runtime's own. The own one cannot be used: it has
// processes, and a cgroup with processes cannot pass controllers on to others below it.
func defaultParent(memberships []cgroupfs.Membership) string {
	for _, m := range memberships {
		if m.Controllers != "" {
			continue
		}
		if parent := path.Dir(path.Clean(m.Path)); parent != "/" {
			return parent
		}
	}
	return ""
}

// Load returns the manager of an existing container, from its saved Paths. It does not look at
// the host.
func Load(paths map[string]string, c *configs.Cgroup) *Manager {
	return &Manager{cgroup: c, root: cgroupfs.Root, dir: cgroupfs.Dir(paths[""]), found: cgroupfs.Claim(c.Claims[""]).Found()}
}

// Paths returns the container's directory under the key "".
func (m *Manager) Paths() map[string]string {
	if m.dir == "" {
		return map[string]string{}
	}
	return map[string]string{"": string(m.dir)}
}

// Claims returns the container's claim to its directory.
func (m *Manager) Claims() (map[string]string, error) {
	if m.dir == "" {
		return nil, nil
	}
	claim, err := m.dir.Claim(m.found)
	return map[string]string{"": string(claim)}, err
}

// Hierarchies returns the one hierarchy.
func (m *Manager) Hierarchies() []cgroupfs.Hierarchy {
	return []cgroupfs.Hierarchy{{Path: string(m.dir), V2: true}}
}

// Create creates the cgroup and enables the controllers for it. On error it removes what it
// created.
func (m *Manager) Create() (err error) {
	if m.born {
		return nil
	}
	var made cgroupfs.Made
	existed, err := cgroupfs.Make(m.root, m.dir, &made)
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Undo())
		}
	}()
	if err != nil {
		if m.cgroup.Rootless && m.cgroup.Path == "" && cgroupfs.Permission(err) {
			m.denied, m.dir, m.planned = err, "", false
			return made.Undo()
		}
		return cgroupfs.PathError(err)
	}
	m.found, m.fresh = existed, !existed
	if existed {
		if err := cgroupfs.CheckUnused(m.dir, m.dir.Frozen); err != nil {
			return err
		}
	}
	if err := m.enable(); err != nil {
		return err
	}
	if err := m.makeBelow(&made, 0); err != nil {
		return err
	}
	if m.cgroup.Rootless {
		if err := cgroupfs.MayEnter(m.root, m.subgroup()); err != nil {
			return cgroupfs.PathError(err)
		}
	}
	m.planned = false
	return nil
}

// Take takes over the cgroup that systemd has created around process pid. It is called instead
// of Create. The cgroups that it creates below, also on error, are removed with that one.
func (m *Manager) Take(pid int) error {
	if err := m.enable(); err != nil {
		return err
	}
	var made cgroupfs.Made
	if err := m.makeBelow(&made, pid); err != nil {
		return err
	}
	// The device filter that systemd has attached must not be replaced.
	m.planned, m.born, m.fresh = false, true, true
	return nil
}

// Unit returns none: systemd does not know the cgroup.
func (m *Manager) Unit() (name string, user int) { return "", 0 }

// Adopt does nothing: every process is started in the cgroup, or enters it by itself.
func (m *Manager) Adopt(int) error { return nil }

// CreateBirthplace creates and opens the container's cgroup.
func (m *Manager) CreateBirthplace() (*os.File, error) {
	if err := m.Create(); err != nil {
		return nil, err
	}
	p, err := m.Placement()
	if err != nil {
		return nil, err
	}
	m.born = true
	return p.Dir, nil
}

// Placement opens the files with which a new process is placed.
func (m *Manager) Placement() (*cgroupfs.Placement, error) {
	if m.dir == "" || m.born {
		return &cgroupfs.Placement{}, nil
	}
	dir, err := m.subgroup().Open()
	if err != nil {
		return nil, fmt.Errorf("place in cgroup: %w", err)
	}
	return &cgroupfs.Placement{Dir: dir}, nil
}

// SetDevices attaches the device rules to the cgroup as an eBPF filter.
func (m *Manager) SetDevices(rules []configs.DeviceRule) error {
	return cgroupfs.SetDevices(m.cgroup, rules, m.setDevices)
}

func (m *Manager) setDevices(rules []configs.DeviceRule) error {
	if m.dir == "" {
		return cgroupfs.ErrNoCgroup
	}
	dir, err := m.dir.Open()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := devices.Attach(dir, rules, m.fresh); err != nil {
		return err
	}
	m.fresh = false // It has a filter now.
	return nil
}

// Pids lists the processes in the container's cgroup and below it.
func (m *Manager) Pids() ([]int, error) {
	if m.dir == "" {
		return nil, cgroupfs.ErrNoCgroup
	}
	return m.dir.Pids()
}

// Freeze freezes or thaws every process, and waits until that is done.
func (m *Manager) Freeze(on bool) error {
	if m.dir == "" {
		return cgroupfs.ErrNoCgroup
	}
	return m.dir.Freeze(on)
}

// ThawAll thaws a frozen cgroup.
func (m *Manager) ThawAll() error {
	if m.dir == "" {
		return nil
	}
	return m.dir.ThawFrozen()
}

// Frozen reports whether the cgroup is frozen or freezing.
func (m *Manager) Frozen() (bool, error) {
	if m.dir == "" {
		return false, nil
	}
	return m.dir.Frozen()
}

// Signal sends sig to every process of the container.
func (m *Manager) Signal(sig unix.Signal) error {
	if m.dir == "" {
		return cgroupfs.ErrNoCgroup
	}
	return m.dir.SignalEach(sig, m)
}

// Kill kills every process of the container.
func (m *Manager) Kill() error {
	if m.planned {
		return nil
	}
	if m.dir == "" {
		return cgroupfs.ErrNoCgroup
	}
	if ok, err := m.dir.KillAtOnce(); ok || err != nil {
		return err
	}
	return m.dir.KillEach(func(on bool) error {
		err := m.dir.Freeze(on)
		if errors.Is(err, unix.ENOENT) {
			return nil // cgroup.freeze needs Linux 5.2.
		}
		return err
	})
}

// Destroy removes the cgroup and those below it. A cgroup that existed before the container
// stays.
func (m *Manager) Destroy() error {
	if m.dir == "" || m.planned {
		return nil
	}
	return m.dir.RemoveOwn(m.found, time.Now().Add(cgroupfs.Patience))
}
