// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// Freezer is the cgroup that criu can stop all processes by: of v1, or of v2 where there
// is no other.
func Freezer(paths map[string]string) string { return cmp.Or(paths["freezer"], paths[""]) }

// CgroupRoots tells criu where the container is in each hierarchy. What a checkpoint saves
// as the place of a process counts from there, so that a restore can put the container into
// another cgroup.
func CgroupRoots(m cgroups.Manager) ([]*rpc.CgroupRoot, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	mounts := cgroupfs.ParseMounts(string(text))
	paths := m.Paths()
	var roots []*rpc.CgroupRoot
	for _, controller := range slices.Sorted(maps.Keys(paths)) {
		path, err := pathInHierarchy(paths[controller], mounts)
		if err != nil {
			return nil, err
		}
		roots = append(roots, &rpc.CgroupRoot{Ctrl: &controller, Path: &path})
	}
	return roots, nil
}

// pathInHierarchy is the path of a cgroup directory from the root of its hierarchy, as
// far as the caller's cgroup namespace lets see.
func pathInHierarchy(dir string, mounts []cgroupfs.Mount) (string, error) {
	for _, m := range slices.Backward(mounts) {
		if Beneath(dir, m.Point) {
			return strings.TrimSuffix(m.Root, "/") + dir[len(m.Point):], nil
		}
	}
	return "", fmt.Errorf("cgroup %s: not in a mounted hierarchy", dir)
}
