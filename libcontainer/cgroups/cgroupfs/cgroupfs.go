// SPDX-License-Identifier: Apache-2.0

// Package cgroupfs has what cgroup v1 and v2 have in common as file systems: creating and
// removing directories, reading and writing whole files, listing processes, and waiting for
// them to end.
//
// It does not deal with controllers and limits; those are in the packages v1 and v2. It only
// ever changes the given cgroup and those below it, except for the parents that [Make] reports
// as created.
package cgroupfs

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/codes"
)

// Root is where all hosts mount their cgroup hierarchies.
const Root = "/sys/fs/cgroup"

// ErrNoCgroup is returned by operations that need a cgroup if the container has none: it is
// rootless and was not allowed to create one.
var ErrNoCgroup = codes.New(codes.CgroupMissing, "the container has no cgroup")

// Placement is how a process gets into the container's cgroups.
type Placement struct {
	// Tasks are v1 `tasks` files, open for writing, for the process to write "0" to. A thread
	// that moves itself this way does not take the kernel's global lock of thread groups, as a
	// write to cgroup.procs would.
	Tasks []*os.File
	// Dir is the v2 directory for CLONE_INTO_CGROUP, nil if there is none.
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
	// Options are the mount options that select the hierarchy: "cpu,cpuacct",
	// "none,name=systemd"; "" for v2.
	Options string
	// Links are its other names.
	Links []string
	// Path is the container's cgroup on the host.
	Path string
	// V2 means that it is a cgroup2 hierarchy.
	V2 bool
}
