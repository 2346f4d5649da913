// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Restore makes a container of a checkpoint. On error nothing of it is left.
func (s *Store) Restore(id string, cfg *configs.Config, o *options.Restore) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	r := newRestoration(s.record(id), cfg, o)
	defer r.release()
	list := []steps.Step{
		{"check what this host can do", r.refuseUnbuilt},
		{"look whose the user namespace is", r.leaveOwnUserNamespace},
		{"open what the caller has named", r.openCallerFiles},
		{"prepare criu", r.prepareCriu},
		{"make the state directory", r.makeStateDir},
		{"keep the notify socket", r.keepNotify},
		{"plan the cgroup", r.planCgroup},
		{"make the resctrl group", r.makeResctrl},
		{"make the cgroups", r.makeCgroups},
		{"open the namespaces to join", r.joinNamespaces},
		{"open the sources of mounts", r.externalSources},
		{"compile the seccomp profile", r.compileSeccomp},
		{"keep what exec needs", r.keepForExec},
		{"let criu restore the processes", r.restoreProcesses},
		{"take the terminal", r.takeTerminal},
		{"hand over the console, the pidfd and the pid file", r.handOver},
	}
	if err := r.do(list); err != nil {
		return nil, err
	}
	return &Container{rec: r.Record}, nil
}
