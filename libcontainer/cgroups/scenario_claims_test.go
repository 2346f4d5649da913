// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// reload returns the manager of a later command.
func reload(t *testing.T, paths, claims map[string]string) Manager {
	t.Helper()
	m, err := Load(paths, &configs.Cgroup{Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A container whose cgroups are gone does not act on those that another one has created in
// their place.
func testClaims(t *testing.T) {
	c := plan(unique(t))
	first := create(t, c)
	paths := first.Paths()
	claims, err := first.Claims()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Destroy(); err != nil {
		t.Fatal(err)
	}
	if got := Owned(paths, claims); len(got) != len(paths) {
		t.Errorf("of what is missing, %q are owned", got)
	}
	second := create(t, c)
	for _, p := range second.Paths() {
		if err := os.Mkdir(p+"/below", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	proc := run(t, second, "sleep", "1000")
	stale := reload(t, paths, claims)
	for what, f := range map[string]func() error{
		"kill": stale.Kill, "signal": func() error { return stale.Signal(9) },
		"destroy": stale.Destroy, "freeze": func() error { return stale.Freeze(true) },
	} {
		if err := f(); err != nil && !errors.Is(err, ErrNoCgroup) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if pids, err := stale.Pids(); len(pids) != 0 || !errors.Is(err, ErrNoCgroup) {
		t.Errorf("pids %v, %v", pids, err)
	}
	for _, p := range second.Paths() {
		if !cgroupfs.Dir(p + "/below").Exists() {
			t.Errorf("%s has lost a cgroup", p)
		}
	}
	if pids, err := second.Pids(); err != nil || !slices.Equal(pids, []int{proc.Process.Pid}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	if frozen, err := second.Frozen(); err != nil || frozen {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	if err := second.Kill(); err != nil {
		t.Error(err)
	}
}

// A cgroup that existed before the container is kept, without those that the container has
// created in it.
func testFound(t *testing.T) {
	path := unique(t)
	before := create(t, plan(path)) // as if created by hand
	for _, failed := range []bool{true, false} {
		m, err := New(plan(path), "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Create(); err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Paths() {
			if err := os.MkdirAll(p+"/a/b", 0o755); err != nil {
				t.Fatal(err)
			}
		}
		claims, err := m.Claims()
		if err != nil {
			t.Fatal(err)
		}
		if !failed {
			m = reload(t, m.Paths(), claims)
		}
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
		for _, p := range before.Paths() {
			if !cgroupfs.Dir(p).Exists() || cgroupfs.Dir(p+"/a").Exists() {
				t.Errorf("%s is there: %v; what the container created in it: %v", p, cgroupfs.Dir(p).Exists(), cgroupfs.Dir(p+"/a").Exists())
			}
		}
	}
}

// Cgroups that a killed create may have created are removed if they are empty, and otherwise
// left.
func testUnclaimed(t *testing.T) {
	c := plan(unique(t))
	m := create(t, c)
	if absent := Absent(m.Paths()); len(absent) != 0 {
		t.Errorf("absent: %q", absent)
	}
	proc := run(t, m, "sleep", "1000")
	for _, p := range m.Paths() {
		if removed, err := cgroupfs.Dir(p).RemoveIdle(time.Now()); removed || err != nil {
			t.Errorf("%s: removed %v, %v", p, removed, err)
		}
		if err := cgroupfs.Dir(p).AwaitIdle(time.Now()); !errors.Is(err, cgroupfs.ErrTimeout) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if pids, err := m.Pids(); err != nil || !slices.Equal(pids, []int{proc.Process.Pid}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	// A process that is ending is waited for.
	u := Unclaimed{Paths: m.Paths()}
	done := make(chan error)
	go func() { done <- u.Remove() }()
	if err := proc.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = proc.Wait()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if absent := Absent(m.Paths()); len(absent) != len(m.Paths()) {
		t.Errorf("absent: %q of %q", absent, m.Paths())
	}
}
