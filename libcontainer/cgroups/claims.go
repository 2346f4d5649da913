// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/systemd"
)

// ErrInUse says that cgroups were left, since somebody is in them.
var ErrInUse = errors.New("in use by others")

// Owned are those of paths at which there is the container's cgroup, by its claims, or
// nothing.
func Owned(paths, claims map[string]string) map[string]string {
	owned := paths
	for key, path := range paths {
		if cgroupfs.Claim(claims[key]).Holds(cgroupfs.Dir(path)) {
			continue
		}
		if len(owned) == len(paths) {
			owned = maps.Clone(paths)
		}
		delete(owned, key)
	}
	return owned
}

// Absent are those of paths at which there is nothing.
func Absent(paths map[string]string) map[string]string {
	absent := make(map[string]string, len(paths))
	for key, path := range paths {
		if cgroupfs.Dir(path).Absent() {
			absent[key] = path
		}
	}
	return absent
}

// OwnsUnit says whether the path of the cgroup that systemd makes for a unit, if there is
// one, is among paths.
func OwnsUnit(paths map[string]string) bool {
	_, v2 := paths[""]
	_, v1 := paths["name=systemd"]
	return v1 || v2
}

// Unclaimed is what a create that was killed had not come to claim: paths at which there
// was nothing when it began, and the unit that it was going to start, "" for none.
//
// What is there now has been made by it, or by somebody who began at the same time. So
// nothing is killed, and nothing removed in which there are processes: those of the create
// end by themselves.
type Unclaimed struct {
	Paths map[string]string
	Unit  string
	User  int
	// Rootless is configs.Cgroup's.
	Rootless bool
}

// Remove removes it. ErrInUse says that some of it is somebody's, and left.
func (u *Unclaimed) Remove() error {
	deadline := time.Now().Add(cgroupfs.Patience)
	if u.Unit != "" {
		if err := u.stop(deadline); err != nil {
			return err
		}
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(u.Paths)) { // v2 first, see v1.Manager.Destroy
		removed, err := cgroupfs.Dir(u.Paths[key]).RemoveIdle(deadline)
		if err == nil && !removed {
			err = ErrInUse
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stop stops the unit when nobody is in its cgroup. It may not be there yet, but what was
// asked of systemd last it may be about to do.
func (u *Unclaimed) stop(deadline time.Time) error {
	for _, key := range []string{"", "name=systemd"} {
		dir, ok := u.Paths[key]
		if !ok {
			continue
		}
		if err := cgroupfs.Dir(dir).AwaitIdle(deadline); errors.Is(err, cgroupfs.ErrTimeout) {
			return ErrInUse
		} else if err != nil {
			return err
		}
	}
	_, unified := u.Paths[""]
	return systemd.Load(u.Unit, u.Rootless, u.User, unified && len(u.Paths) == 1).Stop()
}
