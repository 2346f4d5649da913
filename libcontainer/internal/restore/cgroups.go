// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
)

// strictCgroups reports whether criu makes the cgroups.
func (r *Restoration) strictCgroups() bool { return r.o.ManageCgroupsMode == "strict" }

// ignoreCgroups reports whether criu leaves the processes in its own cgroups. Those must then
// be made the container's. Systemd does that in every mode.
func (r *Restoration) ignoreCgroups() bool {
	unit, _ := r.Cgroup.Unit()
	return r.o.ManageCgroupsMode == "ignore" && unit == ""
}

// MakeCgroups makes the cgroups, unless criu is to make them.
func (r *Restoration) MakeCgroups() error {
	if r.strictCgroups() {
		return r.expectNoCgroup()
	}
	r.Undo.Push("remove the cgroup", r.Cgroup.Destroy)
	return r.Cgroup.Create()
}

// criuStarted completes the cgroups. Systemd makes the cgroups of a scope around an existing
// process. The waiting criu can serve as that process.
func (r *Restoration) criuStarted(process *os.Process) error {
	r.criu = process
	if !r.strictCgroups() {
		if err := r.limitCgroups(process.Pid); err != nil {
			return err
		}
	}
	if r.Resctrl != nil {
		// Every process that criu creates starts there.
		if err := r.Resctrl.Join(process.Pid); err != nil {
			return err
		}
	}
	roots, err := criu.CgroupRoots(r.Cgroup)
	r.run.Task.Opts.CgRoot = roots
	return err
}

func (r *Restoration) limitCgroups(pid int) error {
	if err := r.Cgroup.Adopt(pid); err != nil {
		return err
	}
	// If this process is killed, what criu makes there outlives it.
	if err := r.ClaimCgroups(); err != nil {
		return err
	}
	if err := r.Saved.Write(r.Dir); err != nil {
		return err
	}
	if err := r.Cgroup.Set(r.Cfg.Cgroup.Resources); err != nil {
		return err
	}
	if err := r.SetDeviceRules(); err != nil {
		return err
	}
	return r.DelegateCgroup()
}

// expectNoCgroup makes sure that the cgroups that criu is going to make do not exist yet, so
// that the container owns them and may remove them.
func (r *Restoration) expectNoCgroup() error {
	paths := r.Cgroup.Paths()
	for _, dir := range paths {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("manage-cgroups-mode strict: cgroup %s: %w", dir, cmp.Or(err, os.ErrExist))
		}
	}
	m, err := cgroups.Load(paths, &r.Cfg.Cgroup)
	r.Cgroup = m
	r.Saved.SystemdUnit = "" // criu does not ask systemd
	r.Undo.Push("remove the cgroup", m.Destroy)
	return err
}

// placeCriu moves criu, and so the processes that it does not move itself, into the container's
// cgroups. criu inherits the v1 cgroups from the calling thread.
func (r *Restoration) placeCriu() error {
	// As for a container that exists: the cgroup of a scope is there already.
	m, err := cgroups.Load(r.Cgroup.Paths(), &configs.Cgroup{Subgroup: r.Cfg.Cgroup.Subgroup})
	if err != nil {
		return err
	}
	if r.Place, err = m.Placement(); err != nil {
		return err
	}
	for _, tasks := range r.Place.Tasks {
		if _, err := tasks.WriteString("0"); err != nil {
			return fmt.Errorf("place in cgroup: %w", err)
		}
	}
	r.run.Task.Cgroup = r.Place.Dir
	return nil
}
