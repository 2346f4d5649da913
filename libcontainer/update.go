// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/limits"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits of a container. If the container has stopped, it returns
// ErrNotRunning. Limits that are absent or zero in r stay as they are, except for those where
// zero has a meaning: pids, swappiness, burst, idle. Device rules are never changed. schemata
// are lines for the container's own resctrl group. If anything fails, all limits are as before.
func (c *Container) Update(r *specs.LinuxResources, schemata []string) error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status == specs.StateStopped || status == specs.StateCreating {
			return record.ErrNotRunning
		}
		stored := new(specs.LinuxResources)
		if len(c.rec.Saved.Resources) > 0 {
			var err error
			if stored, _, err = ocispec.Resources(string(c.rec.Saved.Resources)); err != nil {
				return fmt.Errorf("%s: resources: %w", record.StateFile, err)
			}
		}
		change := limits.Complete(stored, r)
		c.debugUpdate(change)
		span := c.rec.Begin("change the limits of the cgroups")
		undo, err := m.Update(change)
		if span.End(err) != nil {
			return codes.With(codes.CgroupLimit, err)
		}
		limits.Merge(stored, change)
		if err := c.finishUpdate(stored, schemata); err != nil {
			return errors.Join(err, undo())
		}
		return nil
	})
}

// finishUpdate writes the schemata and the state, after the cgroups. The schemata cannot be undone;
// only the rename of the state file comes after them.
func (c *Container) finishUpdate(merged *specs.LinuxResources, schemata []string) error {
	c.rec.Debugf("update: %d lines of schemata for the resctrl groups %v", len(schemata), c.rec.Saved.ResctrlGroups)
	span := c.rec.Begin("change the resctrl groups")
	if err := span.End(resctrl.Update(c.rec.Saved.ResctrlGroups, schemata)); err != nil {
		return err
	}
	c.rec.Debugf("update: keep the limits in the state")
	before := c.rec.Saved.Resources
	c.rec.Saved.Resources = record.EncodeResources(merged)
	span = c.rec.Begin("keep the limits in the state")
	if err := span.End(c.rec.Saved.Write(c.rec.Dir)); err != nil {
		c.rec.Saved.Resources = before
		return err
	}
	return nil
}
