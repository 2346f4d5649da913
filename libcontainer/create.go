// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Create sets up a container so that only `start` is missing. If it fails, nothing of the
// container is left.
func (s *Store) Create(id string, cfg *configs.Config, o *options.Create) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	cr := create.New(s.record(id), cfg, o)
	defer cr.Release()
	if err := cr.Do(createSteps(cr)); err != nil {
		return nil, err
	}
	return &Container{rec: cr.Record}, nil
}

// createSteps are the steps of a create. Package preview describes them by their names.
func createSteps(cr *create.Creation) []steps.Step {
	return []steps.Step{
		{"check what this host can do", cr.RefuseUnbuilt},
		{"look whose the user namespace is", cr.LeaveOwnUserNamespace},
		{"open what the caller has named", cr.OpenCallerFiles},
		{"make the state directory", cr.MakeStateDir},
		{"add the notify socket", cr.AddNotify},
		{"plan the cgroup", cr.PlanCgroup},
		{"make the resctrl group", cr.MakeResctrl},
		{"make the cgroup and start init", cr.StartInit},
		{"build the root file system and prepare the host", cr.BuildAndPrepare},
		{"set the scheduler and priorities", cr.SetPriorities},
		{"give init its plan", cr.ConfigureInit},
		{"hand over the console, the pidfd and the pid file", cr.HandOver},
	}
}
