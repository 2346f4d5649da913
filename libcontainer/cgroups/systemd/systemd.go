// SPDX-License-Identifier: Apache-2.0

// Package systemd lets a service manager, that of the host or of the user, create and remove
// the cgroup of a container: a transient scope around its first process, or a slice. It uses
// D-Bus (org.freedesktop.systemd1(5)).
//
// It does not write cgroup files. systemd writes the files for which it has a property, and
// then the packages v1 and v2 write all of them. No call ever waits longer than [Patience],
// whatever systemd does.
//
// The connection is our own; the encoding of messages comes from godbus. A connection of godbus
// authenticates in three round trips, and has goroutines that wait for each other: to connect
// and get the answer of a call takes 2.5 ms with godbus and 1.3 ms with ours (medians of 200
// fresh processes each on two busy CPUs, 0.9 and 0.7 ms at the least: `go test -run '^$' -bench
// Connect -benchtime 200x ./libcontainer/cgroups/systemd`). The package dbus of go-systemd
// makes two of them, which took 3.0 ms (1.5 at the least) in the same way; linking it costs
// nothing. It has deadlines, but does not check who reports the end of a job: on a bus anybody
// can, and a create would continue before its process is in its cgroup.
package systemd

import (
	"fmt"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/godbus/dbus/v5"
)

// Patience is how long one call may take, including the job that it starts. A busy systemd may
// take seconds for a job. If it takes longer than this, it is stuck.
const Patience = 30 * time.Second

// Unit is the unit of one container. Its methods are for one goroutine at a time.
type Unit struct {
	name unitName
	// cgroup is the path of the unit's cgroup below the root of each hierarchy.
	cgroup string
	// properties are those of a new unit, without its first process.
	properties []property
	// late are properties that can only be set when the setup of the first process is complete.
	late    []property
	unified bool
	// started means that there may be a unit that we have created.
	started bool

	manager  manager
	patience time.Duration
	conn     *conn // nil as long as none is needed
}

// Plan plans the unit for container id. unified means that all controllers are on cgroup v2. It
// fails if there is no systemd. It only connects to the manager of a user, to find out where
// its cgroups are.
func Plan(c *configs.Cgroup, id string, unified bool) (*Unit, error) {
	name, err := parseName(c.Path, id, c.Rootless)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cgroupfs.PathField, err)
	}
	m := manager{user: c.Rootless}
	if m.user {
		m.uid = hostUID()
	}
	if _, err := m.find(); err != nil {
		return nil, err
	}
	u := &Unit{name: name, unified: unified, manager: m, patience: Patience}
	if err := u.plan(c, id); err != nil {
		return nil, err
	}
	root, err := u.controlGroup()
	if err != nil {
		return nil, err
	}
	u.cgroup = root + "/" + name.path()
	return u, nil
}

// Load returns the unit of an existing container, with the saved result of Name and, for the
// manager of a user, of User. It does not connect to systemd.
func Load(name string, user bool, uid int, unified bool) *Unit {
	if user && uid == 0 {
		uid = hostUID() // Earlier versions did not save it.
	}
	return &Unit{
		name: unitName{unit: name}, unified: unified, started: true,
		manager: manager{user: user, uid: uid}, patience: Patience,
	}
}

// Name returns the unit's name.
func (u *Unit) Name() string { return u.name.unit }

// User returns the host uid of the user whose manager has the unit, 0 for the host's own.
func (u *Unit) User() int { return u.manager.uid }

// Started reports whether the unit may exist because it was started or loaded. It is false for
// a slice that existed before.
func (u *Unit) Started() bool { return u.started }

// Cgroup returns the absolute path of the unit's cgroup in the hierarchies, "" after Load.
func (u *Unit) Cgroup() string { return u.cgroup }

// IsSlice reports whether the unit is a slice, into which systemd does not put processes.
func (u *Unit) IsSlice() bool { return strings.HasSuffix(u.name.unit, sliceSuffix) }

// controlGroup returns the cgroup that is the root for the manager. For the host's it follows
// from the cgroup of process 1, which is in its own scope, init.scope.
func (u *Unit) controlGroup() (string, error) {
	var path string
	if u.manager.user {
		err := u.do("find the place of", func(c *conn) error {
			body, err := c.call(service, managerPath, propertiesInterface, "Get", managerInterface, "ControlGroup")
			if err != nil {
				return err
			}
			return dbus.Store(body, &path)
		})
		return cleanRoot(path), err
	}
	text, err := cgroupfs.ReadProc("/proc/1/cgroup")
	if err != nil {
		return "", err
	}
	for _, m := range cgroupfs.ParseMemberships(text) {
		if m.Controllers == "" && u.unified || m.Controllers == "name=systemd" {
			path = m.Path
		}
	}
	return cleanRoot(path), nil
}

// cleanRoot returns a cgroup without the scope of a manager in it. It returns "" for the root,
// and if the path leads out of this cgroup namespace.
func cleanRoot(cgroup string) string {
	cgroup = strings.TrimSuffix(strings.TrimSuffix(cgroup, "/init"+scopeSuffix), "/")
	if strings.HasPrefix(cgroup+"/", "/../") {
		return ""
	}
	return cgroup
}
