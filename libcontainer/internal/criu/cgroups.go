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

// Freezer returns the cgroup with which criu can freeze all processes: the one of v1, or of v2
// if there is no other.
func Freezer(paths map[string]string) string { return cmp.Or(paths["freezer"], paths[""]) }

// CgroupRoots tells criu where the container is in each hierarchy. The cgroups of processes are
// saved relative to that, so that a restore can put the container into another cgroup.
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

// pathInHierarchy returns the path of a cgroup directory relative to the root of its hierarchy,
// as far as the caller's cgroup namespace shows it.
func pathInHierarchy(dir string, mounts []cgroupfs.Mount) (string, error) {
	for _, m := range slices.Backward(mounts) {
		if Beneath(dir, m.Point) {
			return strings.TrimSuffix(m.Root, "/") + dir[len(m.Point):], nil
		}
	}
	return "", fmt.Errorf("cgroup %s: not in a mounted hierarchy", dir)
}
