// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// subCgroups changes the container's cgroups by what the caller asks for: each argument
// is a path below them, with the controllers that it is for in front or, without any,
// for all.
func subCgroups(paths map[string]string, args []string) (map[string]string, error) {
	_, unified := paths[""]
	unified = unified && len(paths) == 1
	if unified && len(args) > 1 {
		return nil, errors.New("there is but one hierarchy of cgroups, and so one path")
	}
	if len(paths) == 0 {
		return nil, cgroupfs.ErrNoCgroup
	}
	out := maps.Clone(paths)
	for _, arg := range args {
		controllers, sub, hasControllers := strings.Cut(arg, ":")
		if !hasControllers {
			controllers, sub = "", arg
		} else if unified || controllers == "" {
			return nil, fmt.Errorf("%s: %q: controllers are for cgroup v1, and have names", configs.PhraseUnknownController, arg)
		}
		clean, err := belowCgroup(sub)
		if err != nil {
			return nil, err
		}
		chosen, err := chooseCgroups(paths, controllers)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", arg, err)
		}
		for _, key := range chosen {
			dir := path.Join(paths[key], clean)
			switch _, err := os.Stat(dir); {
			case err == nil:
				out[key] = dir
			case key == "" && !unified && errors.Is(err, os.ErrNotExist):
				// The hybrid host's second hierarchy has no controllers, so nobody
				// makes cgroups there by hand.
			default:
				return nil, fmt.Errorf("%q: %w", arg, err)
			}
		}
	}
	return out, nil
}

// belowCgroup makes a path relative, which may not lead up.
func belowCgroup(sub string) (string, error) {
	clean := path.Clean(strings.TrimLeft(sub, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%s: %q is not below the container's cgroup", configs.PhraseSubCgroup, sub)
	}
	return clean, nil
}

// chooseCgroups lists the keys of paths that belong to the controllers: with each also
// those that share its hierarchy. No controllers are all.
func chooseCgroups(paths map[string]string, controllers string) ([]string, error) {
	if controllers == "" {
		return slices.Sorted(maps.Keys(paths)), nil
	}
	var keys []string
	for c := range strings.SplitSeq(controllers, ",") {
		dir, ok := paths[c]
		if !ok || c == "" {
			return nil, fmt.Errorf("%s: the container has no cgroup of %q", configs.PhraseUnknownController, c)
		}
		for key := range paths {
			if paths[key] == dir {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// execCgroups are the cgroups for a further process. Where there is another one by now at a
// path of the container's, that is not the place, and there can be none but where init is.
func (c *record) execCgroups() (map[string]string, error) {
	paths := c.saved.CgroupPaths
	if len(cgroups.Owned(paths, c.saved.CgroupClaims)) == len(paths) {
		return paths, nil
	}
	if now, found := c.presentCgroups(); found {
		return now, nil
	}
	return nil, errors.New("the container's cgroup has been removed, and another made in its place")
}

// presentCgroups are the cgroups that the container's init is in now; found is false
// when it has not moved.
func (c *record) presentCgroups() (paths map[string]string, found bool) {
	text, err := cgroupfs.ReadProc("/proc/" + strconv.Itoa(c.saved.PID) + "/cgroup")
	if err != nil {
		return nil, false
	}
	return movedCgroups(c.saved.CgroupPaths, cgroupfs.ParseMemberships(text))
}

// movedCgroups puts the paths of memberships in place of the container's.
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

// hierarchyOf is where the hierarchy of a cgroup is mounted.
func hierarchyOf(key, dir string, hierarchies int) string {
	if key == "" && hierarchies == 1 {
		return cgroupfs.Root
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(dir, cgroupfs.Root+"/"), "/")
	return path.Join(cgroupfs.Root, name)
}
