// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Command is a command of a trace.
type Command struct {
	Name string
	PID  int64
	// Start is a reading of CLOCK_MONOTONIC.
	Start, Duration time.Duration
	// Failed is the innermost phase that failed first; nil if none did.
	Failed *Phase
	Tracks []*Track

	tracks map[int64]*Track
}

// Track has the phases of one process or thread.
type Track struct {
	Name   string
	Phases []*Phase

	all []*Phase
}

// Phase is a phase of a command, with those that it consists of.
type Phase struct {
	Name            string
	Start, Duration time.Duration
	// Error is why it failed; "" if it did not.
	Error string
	// Longest is set in the phase of a command that took the longest by itself.
	Longest bool
	Phases  []*Phase
}

// maxDepth is far more than any command has.
const maxDepth = 50

func (p *Phase) end() time.Duration { return p.Start + p.Duration }

// finish nests the phases, and finds out what is special.
func (c *Command) finish() error {
	first := true
	for _, t := range c.Tracks {
		if err := t.nest(); err != nil {
			return fmt.Errorf("%.80q: %w", c.Name, err)
		}
		for _, p := range t.Phases {
			if first || p.Start < c.Start {
				c.Duration += c.Start - p.Start
				c.Start = p.Start
			}
			if first {
				c.Duration = 0
			}
			first = false
			c.Duration = max(c.Duration, p.end()-c.Start)
		}
	}
	c.Walk(func(_ int, p *Phase) bool {
		failedInside := slices.ContainsFunc(p.Phases, func(part *Phase) bool { return part.Error != "" })
		// The builder's phase has failed before the runtime's, which learns it from the builder.
		if p.Error != "" && !failedInside && (c.Failed == nil || p.end() < c.Failed.end()) {
			c.Failed = p
		}
		return true
	})
	c.markLongest()
	return nil
}

// Walk calls visit for each phase of c, outer phases first, with how deep it is in its track. It
// leaves out the parts of a phase for which visit returns false.
func (c *Command) Walk(visit func(depth int, p *Phase) bool) {
	for _, t := range c.Tracks {
		walk(t.Phases, 0, visit)
	}
}

func walk(phases []*Phase, depth int, visit func(int, *Phase) bool) {
	for _, p := range phases {
		if visit(depth, p) {
			walk(p.Phases, depth+1, visit)
		}
	}
}

// nest makes a tree of the track: a phase is a part of the one that contains it. Phases that
// overlap, which berth does not write, are beside each other.
func (t *Track) nest() error {
	slices.SortStableFunc(t.all, func(a, b *Phase) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Duration, a.Duration))
	})
	var open []*Phase
	for _, p := range t.all {
		for len(open) > 0 && open[len(open)-1].end() < p.end() {
			open = open[:len(open)-1]
		}
		// A phase of no length at the end of another is after it.
		for len(open) > 0 && open[len(open)-1].end() == p.Start {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			t.Phases = append(t.Phases, p)
		} else {
			outer := open[len(open)-1]
			outer.Phases = append(outer.Phases, p)
		}
		if open = append(open, p); len(open) > maxDepth {
			return fmt.Errorf("phases that are more than %d levels deep", maxDepth)
		}
	}
	t.all = nil
	return nil
}
