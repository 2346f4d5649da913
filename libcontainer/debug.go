// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// What a command does is told at level debug, before it is done: where one fails or waits
// for ever, the last line names what it was at. Init and the builder say nothing themselves.
// Init has no descriptor of a log while it is anybody else's process, and must not have one:
// it would be the container's. So what they are asked for is told here, as they are asked,
// and what they answer.

// LogTo has the store and its containers tell log what they do.
func (s *Store) LogTo(log options.Logger) *Store {
	s.log = log
	return s
}

// debugMounts tells what is mounted in a container that runs, or unmounted.
func (c *Container) debugMounts(cfg *configs.Config, remove bool) {
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if remove {
			c.rec.Debugf("builder: %s: unmount %s", m.Field, m.Destination)
			continue
		}
		c.rec.Debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
}

// debugUpdate tells what is written to the cgroups, as far as r says.
func (c *Container) debugUpdate(r *specs.LinuxResources) {
	if !c.rec.Debugging() {
		return
	}
	text := record.EncodeResources(r)
	if text == nil {
		text = []byte("{}")
	}
	c.rec.Debugf("update: change the limits of the cgroups: %s", text)
}
