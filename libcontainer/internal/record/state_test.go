// SPDX-License-Identifier: Apache-2.0

package record

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStateRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := State{Format: StateFormat, ID: "x", PID: 12, StartTime: 1 << 60, CgroupPaths: map[string]string{"": "/c"}}
	// A temporary file of a killed command must not be in the way.
	if err := os.WriteFile(filepath.Join(dir, "."+StateFile+".tmp"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != want.PID || got.StartTime != want.StartTime || got.CgroupPaths[""] != "/c" {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
