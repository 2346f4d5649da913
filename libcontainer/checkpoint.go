// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/checkpoint"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Checkpoint saves a running or paused container with criu. If it fails, the container keeps
// running.
func (c *Container) Checkpoint(o *options.Checkpoint) error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status != specs.StateRunning && status != record.Paused {
			return codes.With(codes.ContainerUnready, fmt.Errorf("container cannot be checkpointed in %s state", status))
		}
		d := checkpoint.New(c.rec, o, status, m)
		defer d.Release()
		list := []steps.Step{
			{"look for what cannot be restored", d.RefuseCheckpoint},
			{"look which network is left out", d.LeaveOutNetwork},
			{"prepare criu, images in " + o.ImagePath, d.PrepareCriu},
			{"make the directories of the images", d.MakeDirectories},
			{"let criu save it while it is frozen", d.SaveFrozen},
		}
		err := steps.Run(list, c.rec.Trace, func(what string) error {
			c.rec.Debugf("checkpoint: %s", what)
			return nil
		})
		if err != nil || o.LeaveRunning || o.PreDump {
			return codes.With(codes.CheckpointFailed, err)
		}
		return c.destroy(o.Log)
	})
}
