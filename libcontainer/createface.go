// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Create sets the container up until only `start` is missing. On error nothing of
// it is left.
func (s *Store) Create(id string, cfg *configs.Config, o *options.Create) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	cr := newCreation(s.record(id), cfg, o)
	defer cr.release()
	list := []steps.Step{
		{"check what this host can do", cr.refuseUnbuilt},
		{"look whose the user namespace is", cr.leaveOwnUserNamespace},
		{"open what the caller has named", cr.openCallerFiles},
		{"make the state directory", cr.makeStateDir},
		{"add the notify socket", cr.addNotify},
		{"plan the cgroup", cr.planCgroup},
		{"make the resctrl group", cr.makeResctrl},
		{"make the cgroup and start init", cr.startInit},
		{"build the root file system and prepare the host", cr.buildAndPrepare},
		{"set the scheduler and priorities", cr.setPriorities},
		{"give init its plan", cr.configureInit},
		{"hand over the console, the pidfd and the pid file", cr.handOver},
	}
	if err := cr.do(list); err != nil {
		return nil, err
	}
	return &Container{rec: cr.Record}, nil
}
