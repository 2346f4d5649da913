// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// What a command does is told at level debug, before it is done: where one fails or waits
// for ever, the last line names what it was at. Init and the builder say nothing themselves.
// Init has no descriptor of a log while it is anybody else's process, and must not have one:
// it would be the container's. So what they are asked for is told here, as they are asked,
// and what they answer.

// step is one of the steps of a command.
type step struct {
	what string
	do   func() error
}

// LogTo has the store and its containers tell log what they do.
func (s *Store) LogTo(log Logger) *Store {
	s.log = log
	return s
}

// debugging says whether anybody reads it: what has to be put together first is not worth
// it otherwise.
func (s *Store) debugging() bool { return s != nil && s.log != nil && s.log.Debugging() }

// debugf tells whoever debugs.
func (s *Store) debugf(format string, args ...any) {
	if s.debugging() {
		s.log.Debugf(format, args...)
	}
}

// debugf names the container, since a log may be that of several commands.
func (c *Container) debugf(format string, args ...any) {
	if c.store.debugging() {
		c.store.log.Debugf("container %s: "+format, append([]any{c.id}, args...)...)
	}
}

// debugf is the container's, while there is none yet.
func (cr *creation) debugf(format string, args ...any) {
	if cr.store.debugging() {
		cr.store.log.Debugf("container %s: "+format, append([]any{cr.id}, args...)...)
	}
}

// debugBuild tells what the builder is asked for.
func (cr *creation) debugBuild() {
	if !cr.store.debugging() {
		return
	}
	cfg := cr.cfg
	cr.debugf("builder: root file system %s, read-only %t", cfg.Rootfs.Path, cfg.Rootfs.Readonly)
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		cr.debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
	cr.debugf("builder: %d devices, %d sysctls, %d masked and %d read-only paths",
		len(cfg.Devices), len(cfg.Sysctls), len(cfg.MaskedPaths), len(cfg.ReadonlyPaths))
}

// debugMounts tells what is mounted in a container that runs, or unmounted.
func (c *Container) debugMounts(cfg *configs.Config, remove bool) {
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if remove {
			c.debugf("builder: %s: unmount %s", m.Field, m.Destination)
			continue
		}
		c.debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
}

// debugUpdate tells what is written to the cgroups, as far as r says.
func (c *Container) debugUpdate(r *specs.LinuxResources) {
	if !c.store.debugging() {
		return
	}
	text, err := encodeResources(r)
	switch {
	case err != nil:
		text = []byte(err.Error())
	case text == nil:
		text = []byte("{}")
	}
	c.debugf("update: change the limits of the cgroups: %s", text)
}

// tellCriuSteps tells criu's steps as well. Criu is asked for them only where somebody does
// something at them.
func (c *Container) tellCriuSteps(do func(string, int, *os.File) error) func(string, int, *os.File) error {
	if do == nil || !c.store.debugging() {
		return do
	}
	return func(step string, pid int, file *os.File) error {
		c.debugf("criu is at %s", step)
		return do(step, pid, file)
	}
}

// debugPlan tells what init is asked for, in the order in which it does it.
func (s *Store) debugPlan(id string, init *nsenter.Init, p *configs.Process, plan *nsenter.Plan) {
	if !s.debugging() {
		return
	}
	say := func(format string, args ...any) {
		s.log.Debugf("container %s: init %d: "+format, append([]any{id, init.PID}, args...)...)
	}
	say("%d limits, umask %#o", len(p.Rlimits), p.Umask)
	if plan.Keyring != "" {
		say("session keyring %s", plan.Keyring)
	}
	if p.AppArmorProfile != "" || p.SELinuxLabel != "" {
		say("AppArmor profile %q, SELinux label %q", p.AppArmorProfile, p.SELinuxLabel)
	}
	say("uid %d, gid %d, groups %d", p.UID, p.GID, p.AdditionalGIDs)
	c := &p.Capabilities
	say("capabilities: bounding %s; effective %s", capabilityList(c.Bounding), capabilityList(c.Effective))
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
