// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inspect"
	"github.com/berth-run/berth/libcontainer/internal/record"
)

// InspectedItem is what was asked for and what is in effect.
type InspectedItem = inspect.Item

// Bundle returns the directory of the container's bundle.
func (c *Container) Bundle() string { return c.rec.Saved.Bundle }

// Inspect compares what was asked for with what is in effect. process is that of the config, and
// plan the plan of the config as it is now; both may be nil. The container must be alive:
// otherwise the error is ErrNotRunning.
func (c *Container) Inspect(process *configs.Process, plan *configs.Config) ([]InspectedItem, error) {
	init, err := c.rec.OpenInit()
	if err != nil {
		return nil, err
	}
	defer init.Close()
	asked := &inspect.Asked{Process: process, Plan: plan}
	if len(c.rec.Saved.Resources) > 0 {
		if asked.Resources, _, err = ocispec.Resources(string(c.rec.Saved.Resources)); err != nil {
			return nil, fmt.Errorf("%s: resources: %w", record.StateFile, err)
		}
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return nil, err
	}
	items, err := inspect.Container(c.rec, m, asked)
	if err != nil {
		return nil, err
	}
	// If init has died in the meantime, its number may belong to another process.
	again, err := c.rec.OpenInit()
	if err != nil {
		return nil, err
	}
	return items, again.Close()
}
