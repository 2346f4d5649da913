// SPDX-License-Identifier: Apache-2.0

// Package cgroups places containers in control groups and limits them: one
// interface, [Manager], over cgroup v1 (every mounted hierarchy, named ones
// too), v2 and the hybrid of both.
//
// It chooses; the work is done in v1 and v2, which know their files and limits,
// over cgroupfs, which knows what they have in common, and devices; and in systemd,
// where that is to make the cgroups. Its one
// invariant: what a Manager makes, its Destroy removes, also when another process
// does so from [Manager.Paths] alone.
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
	// CreateBirthplace makes and opens the v2 cgroup that a process can be born in
	// (CLONE_INTO_CGROUP), nil when the host has none. The caller closes it. It is
	// the part of Create and Placement that must come before the clone; the rest may
	// go on during it. Both are complete without it.
	CreateBirthplace() (*os.File, error)
	// Create makes the cgroups, enabling controllers on the way (v2). It fails
	// when one exists and has processes in it or is frozen. On error it removes
	// what it made.
	//
	// A rootless container that asks for no certain cgroup does without those
	// that it may not make: Paths tells afterwards which there are.
	Create() error
	// Adopt has process pid, which is the caller's child and waits for it, put into the
	// cgroups by who alone may do that: systemd, which starts its unit around the first
	// one of a container. It comes between Create and Placement; for most containers it
	// does nothing. On error the process is to be killed before Destroy.
	Adopt(pid int) error
	// Set applies limits. It may be called before a process is placed, but for
	// a pids.limit of 0, which on v2 lets nobody in.
	Set(r *specs.LinuxResources) error
	// Update applies limits to a container that has some, but for devices. When it
	// fails it has taken back what it wrote; when it has succeeded undo does that.
	Update(r *specs.LinuxResources) (undo func() error, err error)
	// SetDevices applies the device rules of the container's plan. It does
	// nothing for a rootless container.
	SetDevices(rules []configs.DeviceRule) error
	// Delegate gives the cgroup to user uid of the host, who may then make others
	// below it; where there are some below for the processes, the last of those. On
	// v1, where that is not safe, it does nothing.
	Delegate(uid int) error
	// EnterDelegated moves process pid, which was placed in the subgroup, on to the
	// cgroup that is delegated to it, if there is one. It comes when the process has
	// its cgroup namespace.
	EnterDelegated(pid int) error
	// Placement opens what a new process needs to be placed. The caller closes it.
	Placement() (*Placement, error)
	// Paths are the directories on the host by controller or name ("cpu",
	// "name=systemd"); "" is the key of v2. They are what the state keeps.
	Paths() map[string]string
	// Claims say which cgroups there are at Paths once they have been made, for the state:
	// Load takes them, and leaves alone what others have put there since. Those that
	// were there before the container are marked, and not removed with it.
	Claims() (map[string]string, error)
	// Unit is the systemd unit that has the cgroups, for the state; "" when there is
	// none. It is one of the service manager of this user, 0 for the host's.
	Unit() (name string, user int)
	// Hierarchies describe the mounted hierarchies, for mounts of type cgroup.
	Hierarchies() []Hierarchy
	// Pids lists the processes in the container's cgroup and below it.
	Pids() ([]int, error)
	// Stats tells what the processes use, and have used.
	Stats() (*stats.Stats, error)
	// WatchOOM tells of processes that there was no memory for, from now on. The
	// caller closes it.
	WatchOOM() (*stats.OOMWatch, error)
	// Freeze stops or continues every process, and waits until that is done.
	Freeze(frozen bool) error
	// ThawAll continues every process, as far as frozen ones need that to die: on v1
	// also those that a cgroup below the container's holds.
	ThawAll() error
	// Frozen says whether the cgroup is frozen.
	Frozen() (bool, error)
	// Signal sends sig to every process, without a race against forks where there is
	// a freezer.
	Signal(sig unix.Signal) error
	// Kill sends SIGKILL to every process, without a race against forks, also
	// to frozen ones. Where the kernel does not do that at once (v2 and hybrid
	// since Linux 5.14) it returns when they are gone. Before Create has succeeded
	// it does nothing.
	Kill() error
	// Destroy removes the cgroups and those below them, waiting for stragglers
	// that are dying. Missing ones are no error. Before Create has succeeded it removes
	// the birthplace alone. A cgroup that Create has found stays.
	Destroy() error
}

// Placement is how a process gets into the container's cgroups.
type Placement = cgroupfs.Placement

// Hierarchy is one mounted hierarchy of the host.
type Hierarchy = cgroupfs.Hierarchy

// ErrNoCgroup is what Pids, Stats, Freeze, Signal and Kill return for a rootless container that
// has no cgroup.
var ErrNoCgroup = cgroupfs.ErrNoCgroup

// Mode is the layout of the host's hierarchies.
type Mode int

// The layouts.
const (
	// Unavailable: no cgroup hierarchy is mounted.
	Unavailable Mode = iota
	// Legacy: all hierarchies are v1.
	Legacy
	// Hybrid: as Legacy, with a v2 hierarchy without controllers on
	// /sys/fs/cgroup/unified.
	Hybrid
	// Unified: one v2 hierarchy with all controllers.
	Unified
)

// DetectMode tells the host's layout from what is mounted on /sys/fs/cgroup.
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

// New plans the cgroups of container id; nothing is made yet.
func New(c *configs.Cgroup, id string) (Manager, error) {
	mode, err := DetectMode()
	if err != nil {
		return nil, err
	}
	if mode != Unified && c.Delegated != "" {
		return nil, errors.New(`annotations["run.oci.delegate-cgroup"]: not supported on cgroup v1`)
	}
	// Elsewhere the mount of type cgroup has that hierarchy, with the others.
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

// Load is the manager of a container that exists, from Paths and Claims as saved. A path
// at which there is another cgroup by now is no path of the container's any more.
func Load(paths map[string]string, c *configs.Cgroup) (Manager, error) {
	// Without any path there is no cgroup, of either version.
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

// managed keeps a nil pointer from becoming a Manager that is not nil.
func managed[M Manager](m M, err error) (Manager, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}
