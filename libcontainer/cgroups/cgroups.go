// SPDX-License-Identifier: Apache-2.0

// Package cgroups places containers in control groups and limits them: one
// interface, [Manager], over cgroup v1 (every mounted hierarchy, named ones
// too), v2 and the hybrid of both.
package cgroups

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Manager controls the cgroups of one container.
type Manager interface {
	// Create makes the cgroups, enabling controllers on the way (v2). It fails
	// when one exists and has processes in it or is frozen. On error it removes
	// what it made.
	Create() error
	// Set applies limits.
	Set(r *specs.LinuxResources) error
	// SetDevices applies the device rules of the container's plan.
	SetDevices(rules []configs.DeviceRule) error
	// Placement opens what a new process needs to be placed. The caller closes it.
	Placement() (*Placement, error)
	// Paths are the directories on the host by controller or name ("cpu",
	// "name=systemd"); "" is the key of v2. They are what the state keeps.
	Paths() map[string]string
	// Hierarchies describe the mounted hierarchies, for mounts of type cgroup.
	Hierarchies() []Hierarchy
	// Pids lists the processes in the container's cgroup and below it.
	Pids() ([]int, error)
	// Freeze stops or continues every process, and waits until that is done.
	Freeze(frozen bool) error
	// Frozen says whether the cgroup is frozen.
	Frozen() (bool, error)
	// Kill sends SIGKILL to every process, without a race against forks, also
	// to frozen ones.
	Kill() error
	// Destroy removes the cgroups and those below them, waiting for stragglers
	// that are dying. Missing ones are no error.
	Destroy() error
}

// Placement is how a process gets into the container's cgroups.
type Placement struct {
	// Tasks are v1 `tasks` files, open for writing, for the process to write "0" to.
	Tasks []*os.File
	// Dir is the v2 directory for CLONE_INTO_CGROUP; nil when there is none.
	Dir *os.File
}

// Hierarchy is one mounted hierarchy of the host.
type Hierarchy struct {
	// Name is the directory's name below /sys/fs/cgroup; "" for pure v2.
	Name string
	// Options select it in a mount: "cpu,cpuacct", "none,name=systemd"; "" for v2.
	Options string
	// Links are other names of it beside Name.
	Links []string
	// Path is the container's cgroup on the host.
	Path string
	V2   bool
}

// Mode is the layout of the host's hierarchies.
type Mode int

// The layouts.
const (
	Unavailable Mode = iota
	Legacy
	Hybrid
	Unified
)

// DetectMode tells the host's layout from what is mounted on /sys/fs/cgroup.
func DetectMode() (Mode, error) { return Unavailable, errors.ErrUnsupported }

// New plans the cgroups of container id; nothing is made yet.
func New(c *configs.Cgroup, id string) (Manager, error) { return nil, errors.ErrUnsupported }

// Load is the manager of a container that exists, from Paths as saved.
func Load(paths map[string]string, c *configs.Cgroup) (Manager, error) {
	return nil, errors.ErrUnsupported
}
