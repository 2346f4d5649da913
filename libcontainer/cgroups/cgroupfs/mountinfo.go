// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
)

// Membership is one line of /proc/PID/cgroup: where a process is in one
// hierarchy.
type Membership struct {
	// Controllers are the hierarchy's, with "name=…" for a named one, joined
	// by commas as the kernel does; "" for the v2 hierarchy.
	Controllers string
	// Path is absolute, from the root of the reader's cgroup namespace.
	Path string
}

// ParseMemberships reads /proc/PID/cgroup (cgroups(7)). Lines that are none of
// the known form are left out.
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
	// Root is the cgroup that is seen there; "/" but for bind mounts.
	Root string
	// V2 says that it is a cgroup2 hierarchy.
	V2 bool
	// Options are the options of the hierarchy: for v1 its controllers and
	// name among them.
	Options string
}

// ParseMounts finds the cgroup mounts in /proc/PID/mountinfo (proc(5)). Lines
// that are none of the known form are left out.
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
