// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"path/filepath"
	"testing"
)

// TestPIDFileUndo: if the file could not be written, there is nothing to remove, but the undo
// function can still be called.
func TestPIDFileUndo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "such")
	remove, err := WritePIDFile(path, 1)
	if err == nil || remove == nil {
		t.Fatalf("error %v; a function to undo it: %v", err, remove != nil)
	}
	if want := "pid file: open " + path + ": no such file or directory (there is no " + filepath.Dir(path) + ")"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
}
