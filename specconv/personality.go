// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// personalityDomains are PER_LINUX and PER_LINUX32 of personality(2).
var personalityDomains = []number[specs.LinuxPersonalityDomain]{
	{specs.PerLinux, 0},
	{specs.PerLinux32, 8},
}

// personality checks linux.personality. The runtime-spec defines no flags yet, so there is
// nothing to do for them except a warning, as in runc and crun.
func (c *conversion) personality() error {
	p := c.linux.Personality
	if p == nil {
		return nil
	}
	domain, ok := lookup(personalityDomains, p.Domain)
	if !ok {
		return fault.New("personality.domain", "%s %s, must be LINUX or LINUX32", configs.PhrasePersonality, p.Domain)
	}
	if len(p.Flags) > 0 {
		c.opts.warn("linux.personality.flags: %s: %q", configs.PhrasePersonalityFlag, p.Flags)
	}
	c.plan.Personality = &configs.Personality{Domain: domain}
	return nil
}
