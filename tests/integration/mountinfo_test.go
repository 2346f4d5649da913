// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
)

// mountEntry is a line of mountinfo.
type mountEntry struct {
	root, point, optional, fsType, source string
	options, super                        []string
}

// parseMountinfo reads mountinfo; the last mount of a path comes last.
func parseMountinfo(text string) []mountEntry {
	var all []mountEntry
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !found || len(f) < 6 || len(g) < 3 {
			continue
		}
		all = append(all, mountEntry{
			root: f[3], point: f[4], options: strings.Split(f[5], ","), optional: strings.Join(f[6:], " "),
			fsType: g[0], source: g[1], super: strings.Split(g[2], ","),
		})
	}
	return all
}

// mounts runs the container and returns its mounts.
func (c *container) mounts() []mountEntry {
	c.t.Helper()
	return parseMountinfo(c.args("cat", "/proc/self/mountinfo").output())
}

// mountOf runs the container and returns its mount at a path.
func (c *container) mountOf(path string) mountEntry {
	c.t.Helper()
	var last mountEntry
	for _, m := range c.mounts() {
		if m.point == path {
			last = m
		}
	}
	if last.point == "" {
		c.t.Fatalf("no mount at %s", path)
	}
	return last
}

// mountOptions returns the options of the mount and of its file system.
func (c *container) mountOptions(path string) []string {
	c.t.Helper()
	m := c.mountOf(path)
	return append(m.options, m.super...)
}
