// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// discover finds the mounted hierarchies, and in each the cgroup from where the
// container's path counts: the root for an absolute path, else the one that the
// runtime itself is in.
//
// What there is to find stands in /proc/self/mountinfo. But that file costs the
// kernel microseconds for each mount of a host that may have thousands, on the
// way of every create. So first the places are tried where every distribution
// mounts them, by the names in /proc/self/cgroup; only if one of them is not as
// expected the mounts are read.
func discover(absolute, hybrid bool) ([]hierarchy, error) {
	text, err := cgroupfs.ReadProc("/proc/self/cgroup")
	if errors.Is(err, unix.ENOENT) {
		return nil, nil // A kernel without cgroups.
	}
	if err != nil {
		return nil, err
	}
	memberships := cgroupfs.ParseMemberships(text)
	if hs, ok := usual(memberships, absolute, hybrid); ok {
		return hs, nil
	}
	text, err = cgroupfs.ReadProc("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mounted(memberships, cgroupfs.ParseMounts(text), absolute, hybrid), nil
}

// usual takes it that every hierarchy is where it usually is; ok is false when
// one is not.
func usual(memberships []cgroupfs.Membership, absolute, hybrid bool) (hs []hierarchy, ok bool) {
	hs = make([]hierarchy, 0, len(memberships))
	for _, m := range memberships {
		h := newHierarchy(m)
		if h.v2 && !hybrid {
			continue
		}
		want := int64(unix.CGROUP_SUPER_MAGIC)
		if h.v2 {
			h.mount = cgroupfs.Root + "/unified"
			want = unix.CGROUP2_SUPER_MAGIC
		} else {
			h.mount = cgroupfs.Dir(cgroupfs.Root + "/" + strings.TrimPrefix(m.Controllers, "name="))
		}
		h.base = h.mount
		if !absolute {
			h.base = join(h.mount, m.Path)
		}
		// That the base exists tells as well that the mount shows the whole
		// hierarchy and not, as in some containers, a part of it.
		if h.v2 && absolute {
			hs = append(hs, h) // hybrid says that it is there.
			continue
		}
		if fs, err := cgroupfs.FileSystem(string(h.base)); err != nil || fs != want {
			return nil, false
		}
		hs = append(hs, h)
	}
	return hs, true
}

// mounted finds the hierarchies by the mounts. Those without one are left out.
func mounted(memberships []cgroupfs.Membership, mounts []cgroupfs.Mount, absolute, hybrid bool) []hierarchy {
	var hs []hierarchy
	for _, m := range memberships {
		h := newHierarchy(m)
		if h.v2 && !hybrid {
			continue
		}
		mount := pick(&h, mounts)
		if mount == nil {
			continue
		}
		h.mount = cgroupfs.Dir(mount.Point)
		h.base = h.mount
		if !absolute {
			h.base = join(h.mount, below(m.Path, mount.Root))
		}
		hs = append(hs, h)
	}
	return hs
}

func newHierarchy(m cgroupfs.Membership) hierarchy {
	if m.Controllers == "" {
		return hierarchy{v2: true}
	}
	return hierarchy{controllers: strings.Split(m.Controllers, ",")}
}

// pick chooses the mount of a hierarchy: of several, the first one on
// /sys/fs/cgroup.
func pick(h *hierarchy, mounts []cgroupfs.Mount) *cgroupfs.Mount {
	var found *cgroupfs.Mount
	for i := range mounts {
		m := &mounts[i]
		if m.V2 != h.v2 || !hasAll(m.Options, h.controllers) {
			continue
		}
		usual := strings.HasPrefix(m.Point, cgroupfs.Root+"/")
		if h.v2 && m.Point != cgroupfs.Root+"/unified" {
			continue
		}
		if usual {
			return m
		}
		if found == nil {
			found = m
		}
	}
	return found
}

func hasAll(options string, words []string) bool {
	list := strings.Split(options, ",")
	for _, w := range words {
		if !slices.Contains(list, w) {
			return false
		}
	}
	return true
}

// below is what path is when seen from root; "" when it is not below it, as for
// a mount made in another cgroup namespace.
func below(path, root string) string {
	if root == "/" {
		return path
	}
	rest, ok := strings.CutPrefix(path, root)
	if !ok || (rest != "" && rest[0] != '/') {
		return ""
	}
	return rest
}

// join appends an absolute path without leaving base: a process outside its
// cgroup namespace's root is told to be in "/../…".
func join(base cgroupfs.Dir, path string) cgroupfs.Dir {
	for path == "/.." || strings.HasPrefix(path, "/../") {
		path = path[len("/.."):]
	}
	if path == "/" {
		path = ""
	}
	return base + cgroupfs.Dir(path)
}
