// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/record"
)

// TestDeleteRemovesResctrlGroups: each way of deleting removes the groups in the state. A group
// that no longer exists is not an error.
func TestDeleteRemovesResctrlGroups(t *testing.T) {
	for _, force := range []bool{false, true} {
		root := t.TempDir()
		group := filepath.Join(root, "group")
		dir := filepath.Join(root, "root", "c")
		if err := errors.Join(os.Mkdir(group, 0o755), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		st := record.State{
			Format: record.StateFormat, ID: "c", CgroupPaths: map[string]string{"": filepath.Join(root, "no-cgroup")},
			ResctrlGroups: []string{filepath.Join(group, "mon_groups/c"), group},
		}
		if err := st.Write(dir); err != nil {
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

// TestResctrlStats: the key exists without a group, and a group that no longer exists is an
// error.
func TestResctrlStats(t *testing.T) {
	c := &Container{rec: &record.Record{}}
	s, err := c.resctrlStats()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(&Stats{IntelRdt: s}); err != nil || !strings.Contains(string(text), `"intel_rdt":{}`) {
		t.Errorf("%s, %v", text, err)
	}
	c.rec.Saved.ResctrlDir = "/sys/fs/resctrl/nobody's"
	if _, err := c.resctrlStats(); err == nil {
		t.Error("statistics of a missing group are not an error")
	}
}

func TestResctrlMonitor(t *testing.T) {
	for _, test := range []struct {
		owned []string
		want  string
	}{
		{nil, ""},
		{[]string{"/r/c"}, ""},
		{[]string{"/r/gold/mon_groups/c"}, "/r/gold/mon_groups/c"},
		{[]string{"/r/c/mon_groups/c", "/r/c"}, "/r/c/mon_groups/c"},
	} {
		c := &Container{rec: &record.Record{Saved: record.State{ResctrlGroups: test.owned}}}
		if got := c.resctrlMonitor(); got != test.want {
			t.Errorf("%q: %q, want %q", test.owned, got, test.want)
		}
	}
}
