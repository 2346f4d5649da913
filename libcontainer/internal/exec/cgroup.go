// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// subCgroups changes the container's cgroups as the caller asks: each argument is a path below
// them. The controllers that it is for may precede it; without any, it is for all of them.
func subCgroups(paths map[string]string, args []string) (map[string]string, error) {
	_, unified := paths[""]
	unified = unified && len(paths) == 1
	if unified && len(args) > 1 {
		return nil, errors.New("there is only one hierarchy of cgroups, and so only one path")
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
				// The second hierarchy of a hybrid host has no controllers, so nobody makes
				// cgroups there by hand.
			default:
				return nil, fmt.Errorf("%q: %w", arg, err)
			}
		}
	}
	return out, nil
}

// belowCgroup makes a path relative. It may not lead upwards.
func belowCgroup(sub string) (string, error) {
	clean := path.Clean(strings.TrimLeft(sub, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%s: %q is not below the container's cgroup", configs.PhraseSubCgroup, sub)
	}
	return clean, nil
}

// chooseCgroups returns the keys of paths that belong to the controllers, and those of the
// controllers that share a hierarchy with them. No controllers means all.
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
