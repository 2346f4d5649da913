// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// A slice that existed before the container is not stopped with it: others use it.
func TestFoundUnit(t *testing.T) {
	for _, tt := range []struct {
		unit   string
		claims map[string]string
		found  bool
	}{
		{"x.slice", map[string]string{"": "7 found"}, true},
		{"x.slice", map[string]string{"": "7"}, false},
		{"x.slice", map[string]string{"": "7", "name=systemd": "8 found", "cpu": "9"}, true},
		{"x.slice", map[string]string{"": "7 found", "name=systemd": "8"}, false},
		{"x.slice", nil, false}, // an earlier version
		{"x.scope", map[string]string{"": "7 found"}, false},
	} {
		m, ok := loadUnit(nil, &configs.Cgroup{Unit: tt.unit, Claims: tt.claims}, true).(*unit)
		if !ok || m.found() != tt.found {
			t.Errorf("%s with %q: %v", tt.unit, tt.claims, m.found())
		}
	}
}

// A unit is identified by the cgroup that systemd has created for it: if there is another one
// in its place, it is another unit.
func TestUnitOfAnother(t *testing.T) {
	dir := t.TempDir()
	for key, foreign := range map[string]string{"name=systemd": "1", "": "1"} {
		m, err := Load(map[string]string{key: dir}, &configs.Cgroup{Unit: "x.scope", Claims: map[string]string{key: foreign}})
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := m.Unit(); name != "" {
			t.Errorf("%q: the unit of another: %s", key, name)
		}
		claim, err := cgroupfs.Dir(dir).Claim(false)
		if err != nil {
			t.Fatal(err)
		}
		m, err = Load(map[string]string{key: dir}, &configs.Cgroup{Unit: "x.scope", Claims: map[string]string{key: string(claim)}})
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := m.Unit(); name != "x.scope" {
			t.Errorf("%q: its own unit is not recognized: %q", key, name)
		}
	}
}
