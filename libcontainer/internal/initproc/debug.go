// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/nsenter"
)

// DebugPlan logs what init is asked to do, in the order in which it does it.
func DebugPlan(c *record.Record, init *nsenter.Init, p *configs.Process, plan *nsenter.Plan) {
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
