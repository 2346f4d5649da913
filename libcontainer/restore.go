// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/restore"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Restore creates a container from a checkpoint. If it fails, nothing of the container is left.
func (s *Store) Restore(id string, cfg *configs.Config, o *options.Restore) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	r := restore.New(s.record(id), cfg, o)
	defer r.Release()
	list := []steps.Step{
		{"check what this host can do", r.RefuseUnbuilt},
		{"look whose the user namespace is", r.LeaveOwnUserNamespace},
		{"open what the caller has named", r.OpenCallerFiles},
		{"prepare criu", r.PrepareCriu},
		{"make the state directory", r.MakeStateDir},
		{"keep the notify socket", r.KeepNotify},
		{"plan the cgroup", r.PlanCgroup},
		{"make the resctrl group", r.MakeResctrl},
		{"make the cgroups", r.MakeCgroups},
		{"open the namespaces to join", r.JoinNamespaces},
		{"open the sources of mounts", r.ExternalSources},
		{"compile the seccomp profile", r.CompileSeccomp},
		{"keep what exec needs", r.KeepForExec},
		{"let criu restore the processes", r.RestoreProcesses},
		{"take the terminal", r.TakeTerminal},
		{"hand over the console, the pidfd and the pid file", r.HandOver},
	}
	if err := r.Do(list); err != nil {
		return nil, codes.With(codes.RestoreFailed, err)
	}
	return &Container{rec: r.Record}, nil
}
