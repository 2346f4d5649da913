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

// ErrInUse means that cgroups were not removed because there are processes in them.
var ErrInUse = errors.New("in use by others")

// Owned returns those of paths at which there is the container's cgroup, by its claims, or
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

// Absent returns those of paths at which there is nothing.
func Absent(paths map[string]string) map[string]string {
	absent := make(map[string]string, len(paths))
	for key, path := range paths {
		if cgroupfs.Dir(path).Absent() {
			absent[key] = path
		}
	}
	return absent
}

// OwnsUnit reports whether paths contains the cgroup that systemd creates for a unit, if there
// is one.
func OwnsUnit(paths map[string]string) bool {
	_, v2 := paths[""]
	_, v1 := paths["name=systemd"]
	return v1 || v2
}

// Unclaimed is what a create that was killed had not claimed yet: paths at which there was
// nothing when it began, and the unit that it was going to start, "" for none.
//
// What is there now was created by it, or by somebody who began at the same time. So no process
// is killed, and no cgroup with processes is removed: those of the create end by themselves.
type Unclaimed struct {
	Paths map[string]string
	Unit  string
	User  int
	// Rootless is the value in configs.Cgroup.
	Rootless bool
}

// Remove removes it. It returns ErrInUse if it left something that is in use.
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

// stop stops the unit if there are no processes in its cgroup. The unit may not exist yet,
// because systemd may still be executing the last request.
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
