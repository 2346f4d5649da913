// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files creates a directory with files.
func files(t *testing.T, contents map[string]string) Dir {
	t.Helper()
	d := Dir(t.TempDir())
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(string(d), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func wantContent(t *testing.T, d Dir, file, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(string(d), file)); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v, want %q", file, got, err, want)
	}
}

// TestKnobsAfterFailure: nothing is written after the first error, which is kept.
func TestKnobsAfterFailure(t *testing.T) {
	d := files(t, map[string]string{"a": "", "b": "", "c": ""})
	k := Knobs{Dir: d}
	k.Write("first", "a", "1")
	k.Write("second", "missing", "2")
	k.Write("third", "b", "3")
	k.Each("fourth", "missing", "4")
	k.Settle(Setting{Field: "fifth", File: "c", Value: "5"})
	const want = "linux.resources.second: open missing: the kernel does not have this limit"
	if k.Err == nil || k.Err.Error() != want {
		t.Errorf("got %v, want %s", k.Err, want)
	}
	wantContent(t, d, "a", "1")
	wantContent(t, d, "b", "")
	wantContent(t, d, "c", "")
}

func TestFirst(t *testing.T) {
	d := files(t, map[string]string{"b": "", "c": ""})
	k := Knobs{Dir: d}
	if k.First("field", "1", "a", "b", "c"); k.Err != nil {
		t.Error(k.Err)
	}
	wantContent(t, d, "b", "1")
	wantContent(t, d, "c", "")
	if k.First("field", "2", "x", "y"); k.Err == nil || !strings.Contains(k.Err.Error(), "linux.resources.field: open y:") {
		t.Errorf("got %v", k.Err)
	}
}

func TestCheckUsage(t *testing.T) {
	d := files(t, map[string]string{"usage": "5000\n", "rubbish": "x\n"})
	for _, test := range []struct {
		file  string
		limit int64
		want  string
	}{
		{"usage", 5000, ""},
		{"usage", 4999, "4999 is below the present usage of 5000 (checkBeforeUpdate)"},
		{"usage", -1, ""},
		{"rubbish", 1, `rubbish: not a number: "x"`},
		{"missing", 1, "open missing: no such file or directory"},
	} {
		err := d.CheckUsage(test.file, test.limit)
		if got := ""; err != nil || test.want != "" {
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("%s, %d: %q, want %q", test.file, test.limit, got, test.want)
			}
		}
	}
}

// TestFreezeFails: if not all processes freeze, all are thawed.
func TestFreezeFails(t *testing.T) {
	d := files(t, map[string]string{"cgroup.freeze": "0"}) // without cgroup.events to wait for
	if err := d.Freeze(true); err == nil || !strings.HasPrefix(err.Error(), "freeze cgroup "+string(d)) {
		t.Errorf("got %v", err)
	}
	wantContent(t, d, "cgroup.freeze", "0")
	if frozen, err := d.Frozen(); frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
}

// TestFreezeGone: there is nothing to thaw in a cgroup that does not exist any more.
func TestFreezeGone(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "gone"))
	if err := d.Freeze(false); err != nil {
		t.Errorf("thaw: %v", err)
	}
	if err := d.Freeze(true); err == nil {
		t.Error("froze a missing cgroup")
	}
	if frozen, err := d.Frozen(); frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
}
