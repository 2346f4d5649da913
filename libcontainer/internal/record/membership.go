// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/codes"
	"golang.org/x/sys/unix"
)

// ExecCgroups returns the cgroups for another process of the container. If somebody else's cgroup is
// at one of the container's paths by now, it returns the cgroups that init is in.
func (c *Record) ExecCgroups() (map[string]string, error) {
	paths := c.Saved.CgroupPaths
	if len(cgroups.Owned(paths, c.Saved.CgroupClaims)) == len(paths) {
		return paths, nil
	}
	if now, found := c.PresentCgroups(); found {
		return now, nil
	}
	return nil, codes.New(codes.CgroupMissing, "the container's cgroup has been removed, and another made in its place")
}

// PresentCgroups returns the cgroups that the container's init is in now; found is false if it has
// not moved.
func (c *Record) PresentCgroups() (paths map[string]string, found bool) {
	text, err := cgroupfs.ReadProc("/proc/" + strconv.Itoa(c.Saved.PID) + "/cgroup")
	if err != nil {
		return nil, false
	}
	return movedCgroups(c.Saved.CgroupPaths, cgroupfs.ParseMemberships(text))
}

// movedCgroups replaces the container's paths by those of memberships.
func movedCgroups(paths map[string]string, memberships []cgroupfs.Membership) (moved map[string]string, found bool) {
	moved = maps.Clone(paths)
	for key, dir := range paths {
		i := slices.IndexFunc(memberships, func(m cgroupfs.Membership) bool {
			return m.Controllers == key || slices.Contains(strings.Split(m.Controllers, ","), key)
		})
		if i < 0 {
			continue
		}
		now := path.Join(hierarchyOf(key, dir, len(paths)), memberships[i].Path)
		moved[key] = now
		found = found || now != dir
	}
	return moved, found
}

// hierarchyOf returns where the hierarchy of a cgroup is mounted.
func hierarchyOf(key, dir string, hierarchies int) string {
	if key == "" && hierarchies == 1 {
		return cgroupfs.Root
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(dir, cgroupfs.Root+"/"), "/")
	return path.Join(cgroupfs.Root, name)
}

// IsCgroupClosed reports whether err means that a cgroup takes no processes: it has enabled
// controllers for its children, or it is gone.
func IsCgroupClosed(err error) bool {
	for _, errno := range []unix.Errno{unix.EBUSY, unix.ENOENT, unix.ENODEV, unix.EOPNOTSUPP} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
