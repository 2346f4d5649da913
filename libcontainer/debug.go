// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
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

// debugBuild tells what the builder is asked for.
func (cr *creation) debugBuild() {
	if !cr.Debugging() {
		return
	}
	cfg := cr.cfg
	cr.Debugf("builder: root file system %s, read-only %t", cfg.Rootfs.Path, cfg.Rootfs.Readonly)
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		cr.Debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
	cr.Debugf("builder: %d devices, %d sysctls, %d masked and %d read-only paths",
		len(cfg.Devices), len(cfg.Sysctls), len(cfg.MaskedPaths), len(cfg.ReadonlyPaths))
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

// tellCriuSteps tells criu's steps as well. Criu is asked for them only where somebody does
// something at them.
func (c *Container) tellCriuSteps(do func(string, int, *os.File) error) func(string, int, *os.File) error {
	if do == nil || !c.rec.Debugging() {
		return do
	}
	return func(step string, pid int, file *os.File) error {
		c.rec.Debugf("criu is at %s", step)
		return do(step, pid, file)
	}
}

// debugPlan tells what init is asked for, in the order in which it does it.
func debugPlan(c *record.Record, init *nsenter.Init, p *configs.Process, plan *nsenter.Plan) {
	if !c.Debugging() {
		return
	}
	say := func(format string, args ...any) {
		c.Debugf("init %d: "+format, append([]any{init.PID}, args...)...)
	}
	say("%d limits, umask %#o", len(p.Rlimits), p.Umask)
	if plan.Keyring != "" {
		say("session keyring %s", plan.Keyring)
	}
	if p.AppArmorProfile != "" || p.SELinuxLabel != "" {
		say("AppArmor profile %q, SELinux label %q", p.AppArmorProfile, p.SELinuxLabel)
	}
	say("uid %d, gid %d, groups %d", p.UID, p.GID, p.AdditionalGIDs)
	say("capabilities: bounding %s; effective %s", capabilityList(p.Capabilities.Bounding), capabilityList(p.Capabilities.Effective))
	say("no new privileges: %t", p.NoNewPrivileges)
	if len(plan.Seccomp) > 0 {
		say(configs.PhraseSeccompFlags+", %d bytes", plan.SeccompFlags, len(plan.Seccomp))
	}
	for i := range plan.Hooks {
		say("startContainer hook #%d: %s", i, plan.Hooks[i].Path)
	}
	say("in %s exec %q", p.Cwd, p.Args)
}

func capabilityList(set uint64) string {
	if names := configs.NamesOf(set); len(names) > 0 {
		return strings.Join(names, " ")
	}
	return "none"
}
