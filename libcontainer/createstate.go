// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"path"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// makeStateDir makes the container's directory, which is what claims the id, and
// locks it.
func (cr *creation) makeStateDir() error {
	var err error
	if cr.claim, err = cr.Claim(); err != nil {
		return err
	}
	cr.undo.Push("remove the state directory", func() error { return sysfile.RemoveTree(cr.Dir) })
	return nil
}

// planCgroup decides the cgroup's paths and records them before any of them is made,
// so that a kill from here on leaves nothing that nobody can find. At some there may be
// cgroups of others: those the create may be allowed to take over, but until it has found
// that out it has nothing to do with them.
func (cr *creation) planCgroup() error {
	m, err := cgroups.New(&cr.cfg.Cgroup, cr.ID)
	if err != nil {
		return err
	}
	if err := cr.warnSubgroup(); err != nil {
		return err
	}
	cr.cgroup = m
	plan := cgroups.Absent(m.Paths())
	unit, unitUser := m.Unit()
	if !cgroups.OwnsUnit(plan) {
		unit = "" // that of somebody else, until ours has been started
	}
	cr.Saved = record.State{
		Format: record.StateFormat, ID: cr.ID, OCIVersion: cr.cfg.SpecVersion,
		Bundle: cr.cfg.Bundle, Rootfs: cr.cfg.Rootfs.Path, Created: time.Now().UTC(),
		Annotations: cr.cfg.Annotations, SharedPID: !cr.cfg.Namespaces.IsNew(configs.NewPID),
		Namespaces: uint32(cr.cfg.Namespaces.Types()), NoNewKeyring: cr.cfg.NoNewKeyring,
		JoinedNamespaces: uint32(cr.cfg.Namespaces.Types() &^ cr.cfg.Namespaces.NewFlags()),
		MemoryPolicy:     cr.cfg.MemoryPolicy, CgroupPlan: plan, CgroupRootless: cr.cfg.Cgroup.Rootless,
		SystemdUnit: unit, SystemdUser: unitUser,
		RootfsPropagation: uint64(cr.cfg.Rootfs.Propagation), MountLabel: cr.cfg.MountLabel,
		CgroupSubgroup: path.Join(cr.cfg.Cgroup.Subgroup, cr.cfg.Cgroup.Delegated),
		Poststart:      cr.cfg.Hooks.Poststart, Poststop: cr.cfg.Hooks.Poststop,
		HookStdout: cr.cfg.HookStdout, HookStderr: cr.cfg.HookStderr,
	}
	cr.Saved.Resources = record.EncodeResources(cr.cfg.Cgroup.Resources)
	if m := cr.cfg.RootMount(); m != nil {
		cr.Saved.RootMount = m.Field
	}
	if !cr.cfg.Namespaces.Contains(configs.NewMount) {
		if cr.Saved.RootfsMountID, err = rootfs.MountID(cr.cfg.Rootfs.Path); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if d := cr.cfg.Personality; d != nil {
		domain := uint32(d.Domain)
		cr.Saved.Personality = &domain
	}
	if err := cr.planResctrl(); err != nil {
		return err
	}
	if err := cr.planNetwork(); err != nil {
		return err
	}
	return cr.Saved.Write(cr.Dir)
}

// claimCgroups records the cgroups that have been made, or found unused: what is in them
// from now on is the container's, whatever becomes of this process.
func (cr *creation) claimCgroups() (err error) {
	cr.Saved.CgroupPaths = cr.cgroup.Paths() // without those that were not allowed
	cr.Saved.CgroupPlan = nil
	cr.Saved.SystemdUnit, cr.Saved.SystemdUser = cr.cgroup.Unit()
	cr.Saved.CgroupClaims, err = cr.cgroup.Claims()
	return err
}

// warnSubgroup drops a subgroup where there is no cgroup v2 to have it, with a warning. It
// is no error: who asks for one need not know which of the two the host has.
func (cr *creation) warnSubgroup() error {
	if cr.cfg.Cgroup.Subgroup == "" {
		return nil
	}
	mode, err := cgroups.DetectMode()
	if err == nil && mode != cgroups.Unified {
		cr.cfg.Cgroup.Subgroup = ""
		cr.opts.Log.Warnf(`annotations["run.oci.systemd.subgroup"]: ignored, since it needs cgroup v2`)
	}
	return err
}

// hookState is what hooks get on their standard input.
func (cr *creation) hookState(status specs.ContainerState) *specs.State {
	return &specs.State{
		Version: cr.cfg.SpecVersion, ID: cr.ID, Status: status, Pid: cr.init.PID,
		Bundle: cr.cfg.Bundle, Annotations: record.WithNetwork(cr.cfg.Annotations, cr.Saved.Network),
	}
}
