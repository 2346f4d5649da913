// SPDX-License-Identifier: Apache-2.0

package create

import (
	"fmt"
	"path"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// MakeStateDir makes and locks the container's directory, which claims the id.
func (cr *Creation) MakeStateDir() error {
	var err error
	if cr.claim, err = cr.Claim(); err != nil {
		return err
	}
	cr.Undo.Push("remove the state directory", func() error { return sysfile.RemoveTree(cr.Dir) })
	return nil
}

// PlanCgroup chooses the cgroup's paths and saves them in the state before it makes any cgroup. If
// this process is killed, a delete finds them. At some of the paths there may already be
// cgroups of others. The create may take those over later, but until then they are not listed.
func (cr *Creation) PlanCgroup() error {
	m, err := cgroups.New(&cr.Cfg.Cgroup, cr.ID)
	if err != nil {
		return err
	}
	if err := cr.warnSubgroup(); err != nil {
		return err
	}
	cr.Cgroup = m
	plan := cgroups.Absent(m.Paths())
	unit, unitUser := m.Unit()
	if !cgroups.OwnsUnit(plan) {
		unit = "" // that of somebody else, until ours has been started
	}
	cr.Saved = record.State{
		Format: record.StateFormat, ID: cr.ID, OCIVersion: cr.Cfg.SpecVersion,
		Bundle: cr.Cfg.Bundle, Rootfs: cr.Cfg.Rootfs.Path, Created: time.Now().UTC(),
		Annotations: cr.Cfg.Annotations, SharedPID: !cr.Cfg.Namespaces.IsNew(configs.NewPID),
		Namespaces: uint32(cr.Cfg.Namespaces.Types()), NoNewKeyring: cr.Cfg.NoNewKeyring,
		JoinedNamespaces: uint32(cr.Cfg.Namespaces.Types() &^ cr.Cfg.Namespaces.NewFlags()),
		MemoryPolicy:     cr.Cfg.MemoryPolicy, CgroupPlan: plan, CgroupRootless: cr.Cfg.Cgroup.Rootless,
		SystemdUnit: unit, SystemdUser: unitUser,
		RootfsPropagation: uint64(cr.Cfg.Rootfs.Propagation), MountLabel: cr.Cfg.MountLabel.Label,
		CgroupSubgroup: path.Join(cr.Cfg.Cgroup.Subgroup, cr.Cfg.Cgroup.Delegated),
		Poststart:      cr.Cfg.Hooks.Poststart, Poststop: cr.Cfg.Hooks.Poststop,
		HookStdout: cr.Cfg.HookStdout, HookStderr: cr.Cfg.HookStderr,
	}
	cr.Saved.Resources = record.EncodeResources(cr.Cfg.Cgroup.Resources)
	if m := cr.Cfg.RootMount(); m != nil {
		cr.Saved.RootMount = m.Field
	}
	if !cr.Cfg.Namespaces.Contains(configs.NewMount) {
		if cr.Saved.RootfsMountID, err = host.MountID(cr.Cfg.Rootfs.Path); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if d := cr.Cfg.Personality; d != nil {
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

// ClaimCgroups saves in the state which cgroups have been made, or found unused. From now on what is
// in them belongs to the container, even if this process is killed.
func (cr *Creation) ClaimCgroups() (err error) {
	cr.Saved.CgroupPaths = cr.Cgroup.Paths() // without those that were not allowed
	cr.Saved.CgroupPlan = nil
	cr.Saved.SystemdUnit, cr.Saved.SystemdUser = cr.Cgroup.Unit()
	cr.Saved.CgroupClaims, err = cr.Cgroup.Claims()
	return err
}

// warnSubgroup drops the subgroup, with a warning, if there is no cgroup v2. It is not an error,
// because the author of the config need not know which version the host has.
func (cr *Creation) warnSubgroup() error {
	if cr.Cfg.Cgroup.Subgroup == "" {
		return nil
	}
	mode, err := cgroups.DetectMode()
	if err == nil && mode != cgroups.Unified {
		cr.Cfg.Cgroup.Subgroup = ""
		cr.Opts.Log.Warnf(`annotations["run.oci.systemd.subgroup"]: ignored, since it needs cgroup v2`)
	}
	return err
}

// hookState returns the state that hooks read from their standard input.
func (cr *Creation) hookState(status specs.ContainerState) *specs.State {
	return &specs.State{
		Version: cr.Cfg.SpecVersion, ID: cr.ID, Status: status, Pid: cr.Init.PID,
		Bundle: cr.Cfg.Bundle, Annotations: record.WithNetwork(cr.Cfg.Annotations, cr.Saved.Network),
	}
}
