// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"slices"
	"time"
)

// waiting is the phase that is not berth's own time, but the program's.
const waiting = "wait for the program"

// span is a time from start to end.
type span struct{ start, end time.Duration }

// markLongest marks the phase that took the longest by itself: without its parts and, in the first
// track, which is that of the command, without the time in which it waits for another track.
func (c *Command) markLongest() {
	var others []span
	for _, t := range c.Tracks[min(1, len(c.Tracks)):] {
		others = append(others, spans(t.Phases)...)
	}
	others = merge(others)
	var longest *Phase
	var most time.Duration
	for n, t := range c.Tracks {
		walk(t.Phases, 0, func(_ int, p *Phase) bool {
			busy := spans(p.Phases)
			if n == 0 {
				busy = merge(append(busy, within(others, p)...))
			}
			own := p.Duration
			for _, b := range busy {
				own -= max(0, min(b.end, p.end())-max(b.start, p.Start))
			}
			if p.Name != waiting && own > most {
				longest, most = p, own
			}
			return true
		})
	}
	if longest != nil {
		longest.Longest = true
	}
}

func spans(phases []*Phase) []span {
	all := make([]span, len(phases))
	for i, p := range phases {
		all[i] = span{p.Start, p.end()}
	}
	return all
}

// merge returns the spans in order, with those that overlap joined into one.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.start <= merged[n-1].end {
			merged[n-1].end = max(merged[n-1].end, s.end)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// within returns the spans of a merged list that overlap with p.
func within(merged []span, p *Phase) []span {
	first, _ := slices.BinarySearchFunc(merged, p.Start, func(s span, t time.Duration) int { return cmp.Compare(s.end, t) })
	last, _ := slices.BinarySearchFunc(merged, p.end(), func(s span, t time.Duration) int { return cmp.Compare(s.start, t) })
	return slices.Clone(merged[min(first, last):last])
}
