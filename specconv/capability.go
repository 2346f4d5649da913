// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// KnownCapabilities returns the names that Convert accepts, sorted.
func KnownCapabilities() []string {
	names := slices.Clone(configs.CapabilityNames[:])
	slices.Sort(names)
	return names
}

// capabilities converts the five lists to bit sets. An unknown name is left out with a warning,
// and is not an error, because engines send lists for newer kernels.
func capabilities(p *specs.Process, plan *configs.Process, o *Options) error {
	c := p.Capabilities
	if c == nil {
		return nil
	}
	var unknown []string
	var hints string
	set := func(names []string) uint64 {
		var bits uint64
		for _, name := range names {
			if n := slices.Index(configs.CapabilityNames[:], name); n >= 0 {
				bits |= 1 << n
			} else if !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
				hints += nearest.Hint(name, configs.CapabilityNames[:])
			}
		}
		return bits
	}
	caps := configs.Capabilities{
		Bounding:    set(c.Bounding),
		Effective:   set(c.Effective),
		Inheritable: set(c.Inheritable),
		Permitted:   set(c.Permitted),
		Ambient:     set(c.Ambient),
	}
	if len(unknown) > 0 {
		o.warn("process.capabilities: %s: %q%s", configs.PhraseUnknownCaps, unknown, hints)
	}
	// The kernel raises an ambient capability only if it is permitted and inheritable
	// (capabilities(7)). runc and crun warn and go on, and `spec` of runc 1.1 wrote such
	// documents.
	if lost := caps.Ambient &^ (caps.Permitted & caps.Inheritable); lost != 0 {
		o.warn("process.capabilities.ambient: %s %s: ignored, because not both permitted and inheritable", configs.PhraseAmbient, strings.Join(configs.NamesOf(lost), ", "))
		caps.Ambient &^= lost
	}
	plan.Capabilities = caps
	return nil
}
