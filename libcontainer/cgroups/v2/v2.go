// SPDX-License-Identifier: Apache-2.0

// Package v2 manages a container's cgroup where all controllers are on the one
// cgroup v2 hierarchy (Documentation/admin-guide/cgroup-v2.rst).
//
// It speaks to no systemd. Its one invariant: the container is in one
// cgroup, with every controller that the cgroups above let it have.
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
	// root is where the hierarchy is mounted.
	root cgroupfs.Dir
	// dir is the container's cgroup; "" when it has none.
	dir cgroupfs.Dir
	// planned says that Create has not succeeded: what has the container's path is
	// somebody else's.
	planned bool
	// found says that dir was there before Create, which does not make it the container's
	// to remove; fresh that Create has made it, and it has no filter of devices yet.
	found, fresh bool
	// born says that the container's first process is in it already: CreateBirthplace has
	// made and opened it, or systemd has.
	born bool
	// refused is why a controller could not be enabled, by its name.
	refused map[string]error
	// denied is why a rootless container has no cgroup.
	denied error
	// journal notes what an update overwrites; nil for a new container.
	journal *cgroupfs.Journal
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

// defaultParent is the cgroup above the one that the runtime is in. Its own
// would not do: it has processes, and a cgroup with processes cannot give
// controllers to others below it.
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

// Load is the manager of a container that exists, from Paths as saved. It looks
// at nothing on the host.
func Load(paths map[string]string, c *configs.Cgroup) *Manager {
	return &Manager{cgroup: c, root: cgroupfs.Root, dir: cgroupfs.Dir(paths[""]), found: cgroupfs.Claim(c.Claims[""]).Found()}
}

// Paths has the container's directory under the key "".
func (m *Manager) Paths() map[string]string {
	if m.dir == "" {
		return map[string]string{}
	}
	return map[string]string{"": string(m.dir)}
}

// Claims are the container's to its directory.
func (m *Manager) Claims() (map[string]string, error) {
	if m.dir == "" {
		return nil, nil
	}
	claim, err := m.dir.Claim(m.found)
	return map[string]string{"": string(claim)}, err
}

// Hierarchies describe the one hierarchy.
func (m *Manager) Hierarchies() []cgroupfs.Hierarchy {
	return []cgroupfs.Hierarchy{{Path: string(m.dir), V2: true}}
}

// Create makes the cgroup and enables the controllers on the way to it. On error
// it removes what it made.
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

// Take takes over the cgroup that systemd has made around process pid: it is what Create
// is for others. The cgroups that it makes below, also on error, go with that one.
func (m *Manager) Take(pid int) error {
	if err := m.enable(); err != nil {
		return err
	}
	var made cgroupfs.Made
	if err := m.makeBelow(&made, pid); err != nil {
		return err
	}
	// The filter of devices that systemd has attached is not ours to replace.
	m.planned, m.born, m.fresh = false, true, true
	return nil
}

// Unit is none: systemd knows nothing of the cgroups.
func (m *Manager) Unit() (name string, user int) { return "", 0 }

// Adopt does nothing: every process is born in the cgroup, or enters it by itself.
func (m *Manager) Adopt(int) error { return nil }

// CreateBirthplace makes and opens the container's cgroup.
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

// Placement opens what a new process needs to be placed.
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

// SetDevices makes the device rules an eBPF filter of the cgroup.
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

// Freeze stops or continues every process, and waits until that is done.
func (m *Manager) Freeze(on bool) error {
	if m.dir == "" {
		return cgroupfs.ErrNoCgroup
	}
	return m.dir.Freeze(on)
}

// ThawAll continues the processes of a frozen cgroup.
func (m *Manager) ThawAll() error {
	if m.dir == "" {
		return nil
	}
	return m.dir.ThawFrozen()
}

// Frozen says whether the cgroup is frozen, or on the way there.
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

// Destroy removes the cgroup and those below it. One that the container has found stays.
func (m *Manager) Destroy() error {
	if m.dir == "" || m.planned {
		return nil
	}
	return m.dir.RemoveOwn(m.found, time.Now().Add(cgroupfs.Patience))
}
