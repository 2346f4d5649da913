// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClaimToNone: if a container has no cgroup, one that is created later belongs to somebody
// else.
func TestClaimToNone(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "none"))
	c, err := d.Claim(false)
	if err != nil || c != claimToNone {
		t.Fatalf("claim %q, %v", c, err)
	}
	if !c.Holds(d) {
		t.Error("a missing cgroup belongs to another container")
	}
	if err := os.Mkdir(string(d), 0o755); err != nil {
		t.Fatal(err)
	}
	if c.Holds(d) {
		t.Error("a cgroup of another container belongs to this one")
	}
	if own, err := d.Claim(true); err != nil || !own.Holds(d) || !own.Found() || own.Made().Found() {
		t.Errorf("claim %q, %v", own, err)
	}
}
