// SPDX-License-Identifier: Apache-2.0

// Package doctor finds out whether a host can run containers, and what will be missing. It asks the
// kernel by trying, not by its version, and uses the probes of the packages that need the answers.
// It changes nothing: what it makes in order to try (a user namespace, a detached mount, a program
// that is not attached) is gone when it returns.
package doctor

import (
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
)

// Status is how a condition is met.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Missing Status = "missing"
	// Limited is what works in part, or is not as it should be.
	Limited Status = "limited"
	// Unknown is what this user cannot find out.
	Unknown Status = "unknown"
	// Unused is what concerns nobody here, such as an engine that is not installed.
	Unused Status = "unused"
)

// Condition is one thing that containers need, or may need.
type Condition struct {
	// Area groups conditions: "kernel", "cgroup".
	Area   string `json:"area"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Found is what there is, and Effect what is impossible without it.
	Found  string `json:"found,omitempty"`
	Effect string `json:"effect,omitempty"`
	// Mend says how to get it, and Command what to type for that.
	Mend    string `json:"mend,omitempty"`
	Command string `json:"command,omitempty"`
	// Essential is set for what every container needs.
	Essential bool `json:"essential,omitempty"`
	// NeededBy are the fields of the config that need it, with Options.For.
	NeededBy []string `json:"neededBy,omitempty"`
}

// Bad reports whether what needs the condition will not work.
func (c *Condition) Bad() bool { return c.Status == Missing }

// Options say what to look at.
type Options struct {
	// Root is the state directory, and Criu the program, "" for the one in PATH.
	Root, Criu string
	// For is a plan whose needs are looked at, and nothing else; nil for everything.
	For *configs.Config
}

// examination collects the conditions.
type examination struct {
	o    *Options
	list []Condition
	// euid is the caller, and rootless whether they are not root on the host.
	euid     int
	rootless bool
	// userNamespace is why this user cannot make user namespaces, nil if they can.
	userNamespace error
}

// Examine returns all conditions, or those that a plan needs.
func Examine(o *Options) []Condition {
	x := newExamination(o)
	for _, look := range [...]func(*examination){
		(*examination).kernel, (*examination).namespaces, (*examination).userNamespaces, (*examination).idMappedMounts,
		(*examination).cgroups, (*examination).deviceFilter, (*examination).security, (*examination).state,
	} {
		look(x)
	}
	if o.For != nil {
		x.systemd()
		x.resctrl()
		return x.needed(o.For)
	}
	x.systemd()
	x.criu()
	x.engines()
	return x.list
}

func (x *examination) add(c *Condition) { x.list = append(x.list, *c) }

// needed keeps the conditions that a plan needs, and says for which field.
func (x *examination) needed(cfg *configs.Config) []Condition {
	needs := needs(cfg, x.euid)
	kept := make([]Condition, 0, len(x.list))
	for _, c := range x.list {
		for _, n := range needs {
			if n.condition == c.Name && !slices.Contains(c.NeededBy, n.field) {
				c.NeededBy = append(c.NeededBy, n.field)
			}
		}
		if c.Essential || len(c.NeededBy) > 0 {
			kept = append(kept, c)
		}
	}
	return kept
}
