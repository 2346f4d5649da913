// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestDeleteRemovesResctrlGroups: what the state names goes, by all ways of deleting,
// and one that is gone already is no error.
func TestDeleteRemovesResctrlGroups(t *testing.T) {
	for _, force := range []bool{false, true} {
		root := t.TempDir()
		group := filepath.Join(root, "group")
		dir := filepath.Join(root, "root", "c")
		if err := errors.Join(os.Mkdir(group, 0o755), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		st := savedState{
			Format: stateFormat, ID: "c", CgroupPaths: map[string]string{"": filepath.Join(root, "no-cgroup")},
			ResctrlGroups: []string{filepath.Join(group, "mon_groups/c"), group},
		}
		if err := st.write(dir); err != nil {
			t.Fatal(err)
		}
		if err := Open(filepath.Dir(dir)).Delete("c", force, nil); err != nil {
			t.Error(err)
		}
		for _, d := range []string{group, dir} {
			if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("force %v: %s is still there: %v", force, d, err)
			}
		}
	}
}
