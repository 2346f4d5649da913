// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	monitor := filepath.Join(dir, "mon_groups", "box")
	if err := os.MkdirAll(monitor, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "schemata")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Update([]string{monitor, dir}, []string{"L3:0=f"}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); string(text) != "L3:0=f\n" || err != nil {
		t.Errorf("schemata %q, %v", text, err)
	}
	for _, owned := range [][]string{nil, {monitor}} {
		if err := Update(owned, []string{"L3:0=f"}); err == nil {
			t.Errorf("%q: changed a group of others", owned)
		}
		if err := Update(owned, nil); err != nil {
			t.Errorf("%q: nothing to do: %v", owned, err)
		}
	}
}
