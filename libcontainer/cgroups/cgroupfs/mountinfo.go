// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
)

// Membership is one line of /proc/PID/cgroup: the cgroup of a process in one hierarchy.
type Membership struct {
	// Controllers are the controllers of the hierarchy, with "name=…" for a named one,
	// separated by commas as in the kernel. It is "" for the v2 hierarchy.
	Controllers string
	// Path is absolute, relative to the root of the reader's cgroup namespace.
	Path string
}

// ParseMemberships parses /proc/PID/cgroup (cgroups(7)). It ignores malformed lines.
func ParseMemberships(text string) []Membership {
	list := make([]Membership, 0, 16)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		_, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		controllers, p, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(p, "/") {
			continue
		}
		list = append(list, Membership{Controllers: controllers, Path: p})
	}
	return list
}

// Mount is one mounted hierarchy of cgroup v1 or v2.
type Mount struct {
	// Point is where it is mounted.
	Point string
	// Root is the cgroup at the mount point; "/" except for bind mounts.
	Root string
	// V2 means that it is a cgroup2 hierarchy.
	V2 bool
	// Options are the options of the hierarchy; for v1 they include its controllers and name.
	Options string
}

// ParseMounts returns the cgroup mounts in /proc/PID/mountinfo (proc(5)). It ignores malformed
// lines.
func ParseMounts(text string) []Mount {
	var mounts []Mount
	for m := range mountinfo.All(text) {
		v2 := m.Type == "cgroup2"
		if (v2 || m.Type == "cgroup") && strings.HasPrefix(m.Root, "/") {
			mounts = append(mounts, Mount{Point: m.Point, Root: m.Root, V2: v2, Options: m.Options})
		}
	}
	return mounts
}
