// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
)

// strictCgroups says that criu makes the cgroups.
func (r *restoration) strictCgroups() bool { return r.o.ManageCgroupsMode == "strict" }

// ignoreCgroups says that criu leaves the processes in its own cgroups, which have to be
// made the container's then. Systemd does that with any.
func (r *restoration) ignoreCgroups() bool {
	unit, _ := r.cgroup.Unit()
	return r.o.ManageCgroupsMode == "ignore" && unit == ""
}

// makeCgroups makes the cgroups, unless that is criu's to do.
func (r *restoration) makeCgroups() error {
	if r.strictCgroups() {
		return r.expectNoCgroup()
	}
	r.undo.Push("remove the cgroup", r.cgroup.Destroy)
	return r.cgroup.Create()
}

// criuStarted completes the cgroups. Systemd makes those of a scope around a process, and
// criu, which waits, is as good a one as any.
func (r *restoration) criuStarted(criu *os.Process) error {
	r.criu = criu
	if !r.strictCgroups() {
		if err := r.limitCgroups(criu.Pid); err != nil {
			return err
		}
	}
	if r.resctrl != nil {
		// All that criu makes is born there.
		if err := r.resctrl.Join(criu.Pid); err != nil {
			return err
		}
	}
	roots, err := cgroupRoots(r.cgroup)
	r.run.task.Opts.CgRoot = roots
	return err
}

func (r *restoration) limitCgroups(pid int) error {
	if err := r.cgroup.Adopt(pid); err != nil {
		return err
	}
	// What criu makes there outlives this process, if it is killed.
	if err := r.claimCgroups(); err != nil {
		return err
	}
	if err := r.Saved.Write(r.Dir); err != nil {
		return err
	}
	if err := r.cgroup.Set(r.cfg.Cgroup.Resources); err != nil {
		return err
	}
	if err := r.setDeviceRules(); err != nil {
		return err
	}
	return r.delegateCgroup()
}

// expectNoCgroup makes sure that the cgroups which criu is going to make are nobody's, and
// so ours to remove.
func (r *restoration) expectNoCgroup() error {
	paths := r.cgroup.Paths()
	for _, dir := range paths {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("manage-cgroups-mode strict: cgroup %s: %w", dir, cmp.Or(err, os.ErrExist))
		}
	}
	m, err := cgroups.Load(paths, &r.cfg.Cgroup)
	r.cgroup = m
	r.Saved.SystemdUnit = "" // criu asks nobody
	r.undo.Push("remove the cgroup", m.Destroy)
	return err
}

// placeCriu puts criu, and so the processes that it does not move, into the container's
// cgroups: those of v1 by way of the calling thread, from which criu inherits them.
func (r *restoration) placeCriu() error {
	// As for a container that exists: the cgroup of a scope is there already.
	m, err := cgroups.Load(r.cgroup.Paths(), &configs.Cgroup{Subgroup: r.cfg.Cgroup.Subgroup})
	if err != nil {
		return err
	}
	if r.place, err = m.Placement(); err != nil {
		return err
	}
	for _, tasks := range r.place.Tasks {
		if _, err := tasks.WriteString("0"); err != nil {
			return fmt.Errorf("place in cgroup: %w", err)
		}
	}
	r.run.task.Cgroup = r.place.Dir
	return nil
}
