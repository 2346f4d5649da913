// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ErrNotPaused is returned by Resume. Engines match its text literally.
var ErrNotPaused = codes.New(codes.ContainerNotPaused, "container not paused")

// Pause freezes every process of a container that is running or created, and returns when all
// are frozen. In any other state it returns ErrNotRunning.
func (c *Container) Pause() error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status != specs.StateRunning && status != specs.StateCreated {
			return record.ErrNotRunning
		}
		c.rec.Debugf("pause: freeze the cgroups %v", c.rec.Saved.CgroupPaths)
		span := c.rec.Begin("freeze the cgroups")
		return span.End(m.Freeze(true))
	})
}

// Resume thaws the processes of a paused container. In any other state it returns ErrNotPaused.
func (c *Container) Resume() error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status != record.Paused {
			return ErrNotPaused
		}
		c.rec.Debugf("resume: thaw the cgroups %v", c.rec.Saved.CgroupPaths)
		span := c.rec.Begin("thaw the cgroups")
		return span.End(m.Freeze(false))
	})
}

// change calls do with the container's status and cgroups, while it holds the container's lock,
// so that no start or delete interferes.
func (c *Container) change(do func(specs.ContainerState, cgroups.Manager) error) error {
	c.rec.Debugf("take the lock")
	span := c.rec.Begin("take the lock")
	lock, err := c.rec.Lock()
	if span.End(err) != nil {
		return err
	}
	defer lock.Unlock()
	if err := c.rec.Reload(); err != nil {
		return err
	}
	span = c.rec.Begin("find out how init is")
	status, err := c.rec.Status()
	if span.End(err) != nil {
		return err
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return err
	}
	c.rec.Debugf("it is %s", status)
	return do(status, m)
}
