// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/preview"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
)

// Finding is what would be in the way of a create.
type Finding = preview.Finding

// PlannedStep is a step of a create, and what it would do.
type PlannedStep = preview.Step

// Findings returns what this host or the root file system lack for a plan.
func Findings(cfg *configs.Config, id string) []Finding { return preview.Findings(cfg, id) }

// Preview returns what Create would do, in its order, and does nothing.
func (s *Store) Preview(id string, cfg *configs.Config) ([]PlannedStep, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	cr := create.New(s.record(id), cfg, new(options.Create))
	var names []string
	for _, step := range createSteps(cr) {
		names = append(names, step.What)
	}
	return preview.Steps(cr, names)
}
