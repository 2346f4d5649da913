// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWantsColour(t *testing.T) {
	for _, tc := range []struct {
		term, no string
		want     bool
	}{{"xterm", "", true}, {"dumb", "", false}, {"", "", false}, {"xterm", "1", false}} {
		env := map[string]string{"TERM": tc.term, "NO_COLOR": tc.no}
		if got := wantsColour(func(name string) string { return env[name] }); got != tc.want {
			t.Errorf("TERM=%s NO_COLOR=%s: %t", tc.term, tc.no, got)
		}
	}
}

// TestFileIsNoTerminal: a file is not a terminal.
func TestFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Is(f) {
		t.Error("it is said to be a terminal")
	}
}
