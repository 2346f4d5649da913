// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// discover finds the mounted hierarchies, and in each the cgroup that the container's path is
// relative to: the root for an absolute path, otherwise the runtime's own cgroup.
//
// The mounts are in /proc/self/mountinfo. But the kernel needs microseconds for each mount in
// that file, the host may have thousands, and every create would read it. So it first tries the
// places where all distributions mount the hierarchies, by the names in /proc/self/cgroup. Only
// if one is not as expected, it reads the mounts.
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

// usual assumes that every hierarchy is at its usual place. ok is false if one is not.
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
		// The existence of base also shows that the whole hierarchy is mounted and not, as in
		// some containers, a part of it.
		if h.v2 && absolute {
			hs = append(hs, h) // hybrid means that it exists.
			continue
		}
		if fs, err := cgroupfs.FileSystem(string(h.base)); err != nil || fs != want {
			return nil, false
		}
		hs = append(hs, h)
	}
	return hs, true
}

// mounted finds the hierarchies by their mounts. Those without a mount are left out.
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

// pick returns the mount of a hierarchy. Of several, it takes the first one on /sys/fs/cgroup.
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

// below returns path relative to root. It returns "" if path is not below root, as for a mount
// made in another cgroup namespace.
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

// join appends an absolute path without leaving base: for a process outside its cgroup
// namespace's root the path is "/../…".
func join(base cgroupfs.Dir, path string) cgroupfs.Dir {
	for path == "/.." || strings.HasPrefix(path, "/../") {
		path = path[len("/.."):]
	}
	if path == "/" {
		path = ""
	}
	return base + cgroupfs.Dir(path)
}
