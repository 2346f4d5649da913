// SPDX-License-Identifier: Apache-2.0

// Package cgroups places containers in control groups and limits them. It has one interface,
// [Manager], for cgroup v1 (every mounted hierarchy, also named ones), v2 and the hybrid of
// both.
//
// It only chooses the implementation. The packages v1 and v2 have the files and limits, and use
// cgroupfs for what they have in common, and devices. Package systemd is for cgroups that
// systemd creates. Destroy always removes what the Manager has created, even if another process
// does it with just the [Manager.Paths].
package cgroups

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
	"github.com/berth-run/berth/libcontainer/cgroups/v1"
	"github.com/berth-run/berth/libcontainer/cgroups/v2"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Manager controls the cgroups of one container.
type Manager interface {
	// CreateBirthplace creates and opens the v2 cgroup in which a process can be started
	// (CLONE_INTO_CGROUP). It returns nil if the host has none. The caller closes it. It is the
	// part of Create and Placement that must be done before the clone; the rest may be done at
	// the same time. Both also work without it.
	CreateBirthplace() (*os.File, error)
	// Create creates the cgroups, and enables the controllers for them (v2). It fails if one
	// exists and has processes in it or is frozen. On error it removes what it created.
	//
	// A rootless container without a cgroupsPath does without those that it may not create.
	// Paths then returns which ones there are.
	Create() error
	// Adopt lets systemd put process pid, a waiting child of the caller, into the cgroups:
	// systemd starts a unit around the first process of a container. It is called between
	// Create and Placement. For containers without systemd it does nothing. On error the
	// process must be killed before Destroy.
	Adopt(pid int) error
	// Set applies limits. It may be called before a process is placed, except with a pids.limit
	// of 0, with which no process can enter a v2 cgroup.
	Set(r *specs.LinuxResources) error
	// Draft returns what Set would write, and writes nothing.
	Draft(r *specs.LinuxResources) *Draft
	// Update applies limits, except for devices, to an existing container. If it fails it has
	// undone its changes. If it succeeds undo does that.
	Update(r *specs.LinuxResources) (undo func() error, err error)
	// SetDevices applies the device rules of the container's plan. It does
	// nothing for a rootless container.
	SetDevices(rules []configs.DeviceRule) error
	// Delegate gives the cgroup to user uid of the host, who may then create others below it.
	// If the plan has subgroups for the processes, it gives away the last of those. On v1,
	// where this is not safe, it does nothing.
	Delegate(uid int) error
	// EnterDelegated moves process pid from the subgroup to the cgroup that is delegated to it,
	// if there is one. It is called when the process has its cgroup namespace.
	EnterDelegated(pid int) error
	// Placement opens the files with which a new process is placed. The caller closes it.
	Placement() (*Placement, error)
	// Paths returns the directories on the host by controller or name ("cpu", "name=systemd");
	// "" is the key of v2. The state contains them.
	Paths() map[string]string
	// Claims identifies the created cgroups at Paths, for the state. With them, Load ignores
	// other cgroups that were created there later. Those that existed before the container are
	// marked, and not removed with it.
	Claims() (map[string]string, error)
	// Unit returns the systemd unit that has the cgroups, for the state; "" if there is none.
	// user is the user of the service manager, 0 for the host's.
	Unit() (name string, user int)
	// Hierarchies returns the mounted hierarchies, for mounts of type cgroup.
	Hierarchies() []Hierarchy
	// Pids lists the processes in the container's cgroup and below it.
	Pids() ([]int, error)
	// Stats returns what the processes use and have used.
	Stats() (*stats.Stats, error)
	// WatchOOM reports out-of-memory events from now on. The caller closes it.
	WatchOOM() (*stats.OOMWatch, error)
	// Freeze freezes or thaws every process, and waits until that is done.
	Freeze(frozen bool) error
	// ThawAll thaws every process that could otherwise not die: on v1 also those that a cgroup
	// below the container's keeps frozen.
	ThawAll() error
	// Frozen reports whether the cgroup is frozen.
	Frozen() (bool, error)
	// Signal sends sig to every process. If there is a freezer, this does not race with forks.
	Signal(sig unix.Signal) error
	// Kill sends SIGKILL to every process, also to frozen ones, without a race with forks. The
	// kernel does this in one step on v2 and hybrid since Linux 5.14; otherwise Kill returns
	// when the processes are gone. Before Create has succeeded it does nothing.
	Kill() error
	// Destroy removes the cgroups and those below them, and waits for processes that are dying.
	// Missing ones are not an error. Before Create has succeeded it only removes the
	// birthplace. A cgroup that existed before Create stays.
	Destroy() error
}

// Placement is how a process gets into the container's cgroups.
type Placement = cgroupfs.Placement

// Hierarchy is one mounted hierarchy of the host.
type Hierarchy = cgroupfs.Hierarchy

// Draft has what would be written.
type Draft = cgroupfs.Draft

// ErrNoCgroup is returned by Pids, Stats, Freeze, Signal and Kill for a container without a
// cgroup.
var ErrNoCgroup = cgroupfs.ErrNoCgroup

// Mode is the layout of the host's hierarchies.
type Mode int

// The layouts.
const (
	// Unavailable: no cgroup hierarchy is mounted.
	Unavailable Mode = iota
	// Legacy: all hierarchies are v1.
	Legacy
	// Hybrid: like Legacy, with a v2 hierarchy without controllers on /sys/fs/cgroup/unified.
	Hybrid
	// Unified: one v2 hierarchy with all controllers.
	Unified
)

// DetectMode finds out the host's layout from what is mounted on /sys/fs/cgroup.
func DetectMode() (Mode, error) {
	fs, err := cgroupfs.FileSystem(cgroupfs.Root)
	switch {
	case err != nil:
		return Unavailable, err
	case fs == unix.CGROUP2_SUPER_MAGIC:
		return Unified, nil
	case fs == 0 || fs == unix.SYSFS_MAGIC:
		return Unavailable, nil // The directory is part of sysfs.
	}
	fs, err = cgroupfs.FileSystem(cgroupfs.Root + "/unified")
	if err == nil && fs == unix.CGROUP2_SUPER_MAGIC {
		return Hybrid, nil
	}
	return Legacy, err
}

// New plans the cgroups of container id. It does not create anything.
func New(c *configs.Cgroup, id string) (Manager, error) {
	if c.Disabled {
		return newNone(c), nil
	}
	mode, err := DetectMode()
	if err != nil {
		return nil, err
	}
	if mode != Unified && c.Delegated != "" {
		return nil, errors.New(`annotations["run.oci.delegate-cgroup"]: not supported on cgroup v1`)
	}
	// In other layouts the mount of type cgroup contains that hierarchy, with the others.
	if mode == Unified && c.ForceLegacy {
		return nil, errors.New(`annotations["` + configs.ForceLegacyAnnotation + `"]: not supported on cgroup v2: ` +
			"a hierarchy of cgroup v1 would be the host's, whose root all containers with it would share")
	}
	if c.Systemd {
		return newUnit(c, id, mode)
	}
	if mode == Unified {
		return managed(v2.New(c, id))
	}
	return managed(v1.New(c, id, mode == Hybrid))
}

// Load returns the manager of an existing container, from its saved Paths and Claims. Paths at
// which there is now another cgroup are left out.
func Load(paths map[string]string, c *configs.Cgroup) (Manager, error) {
	// Without any path there is no cgroup, v1 or v2.
	_, unified := paths[""]
	unified = unified && len(paths) == 1 || len(paths) == 0
	paths = Owned(paths, c.Claims)
	if c.Unit != "" && OwnsUnit(paths) {
		return loadUnit(paths, c, unified), nil
	}
	if unified {
		return v2.Load(paths, c), nil
	}
	return v1.Load(paths, c), nil
}

// managed prevents a nil pointer from becoming a Manager that is not nil.
func managed[M Manager](m M, err error) (Manager, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}
