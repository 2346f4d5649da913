// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// TestMakeBelow uses plain files: each cgroup passes on what it has.
func TestMakeBelow(t *testing.T) {
	for _, tt := range []struct {
		subgroup, delegated string
		passedOn            map[string]string // subtree_control by directory
		missing             string
	}{
		{"", "", map[string]string{"/c": "cpu"}, "/c/s"},
		{"s", "", map[string]string{"/c": "+memory", "/c/s": ""}, "/c/s/d"},
		{"s", "d", map[string]string{"/c": "+memory", "/c/s": ""}, "/c/s/d/d"},
	} {
		root := t.TempDir()
		tree(t, root+"/c", "cgroup.controllers=cpu memory", "cgroup.subtree_control=cpu")
		if tt.subgroup != "" {
			// The kernel makes the files of a new cgroup; plain directories have none.
			tree(t, root+"/c/s", "cgroup.controllers=cpu memory", "cgroup.subtree_control")
		}
		m := &Manager{cgroup: &configs.Cgroup{Subgroup: tt.subgroup, Delegated: tt.delegated}, root: cgroupfs.Dir(root), dir: cgroupfs.Dir(root + "/c")}
		var made cgroupfs.Made
		if err := m.makeBelow(&made, 0); err != nil {
			t.Fatal(err)
		}
		for dir, want := range tt.passedOn {
			if b, err := os.ReadFile(root + dir + "/cgroup.subtree_control"); err != nil || string(b) != want {
				t.Errorf("%s/%s: %s passes on %q (%v), want %q", tt.subgroup, tt.delegated, dir, b, err, want)
			}
		}
		if !m.delegatee().Exists() {
			t.Errorf("no %s", m.delegatee())
		}
		if _, err := os.Stat(root + tt.missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", tt.missing, err)
		}
		if err := made.Undo(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(root + "/c/s/d"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("not undone: %v", err)
		}
	}
}
