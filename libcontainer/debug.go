// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// At level debug a command logs each step before it takes the step. When a command fails or
// hangs, the last line therefore names the step. Init and the builder do not log. Init must
// not have a descriptor of the log, because the container would inherit it. So the runtime
// logs what it asks them to do, and what they answer.

// LogTo makes the store and its containers log their steps to log.
func (s *Store) LogTo(log options.Logger) *Store {
	s.log = log
	return s
}

// debugMounts logs the mounts to be made in, or removed from, a running container.
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

// debugUpdate logs the limits that an update changes.
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
