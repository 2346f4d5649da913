// SPDX-License-Identifier: Apache-2.0

// Package cgroupfs is what cgroup v1 and v2 have in common seen as a file
// system: directories that are made and removed, files that are read and
// written whole, lists of processes, and waiting for them to end.
//
// It knows no controller and no limit; those are in the packages v1 and v2.
// Its one invariant: nothing here changes a cgroup other than the one it was
// given and those below it, but for the parents that [Make] reports as made.
package cgroupfs

import (
	"errors"
	"os"
)

// Root is where every host mounts its cgroup hierarchies.
const Root = "/sys/fs/cgroup"

// ErrNoCgroup is returned for what needs a cgroup when the container has none:
// a rootless container that was not allowed to make one.
var ErrNoCgroup = errors.New("the container has no cgroup")

// Placement is how a process gets into the container's cgroups.
type Placement struct {
	// Tasks are v1 `tasks` files, open for writing, for the process to write
	// "0" to. A thread that moves itself so does not take the kernel's global
	// lock of thread groups, as a write to cgroup.procs would.
	Tasks []*os.File
	// Dir is the v2 directory for CLONE_INTO_CGROUP; nil when there is none.
	Dir *os.File
}

// Close closes every file of the placement.
func (p *Placement) Close() error {
	var errs []error
	for _, f := range p.Tasks {
		errs = append(errs, f.Close())
	}
	if p.Dir != nil {
		errs = append(errs, p.Dir.Close())
	}
	p.Tasks, p.Dir = nil, nil
	return errors.Join(errs...)
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
	// V2 says that it is a cgroup2 hierarchy.
	V2 bool
}
