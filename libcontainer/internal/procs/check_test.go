// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestCheckProc(t *testing.T) {
	if err := Check(); err != nil {
		t.Error(err)
	}
	if err := checkAt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no procfs") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestCheckProcByChance: the number is the same further out, but not the only one.
func TestCheckProcByChance(t *testing.T) {
	dir, pid := t.TempDir(), strconv.Itoa(os.Getpid())
	if err := os.Mkdir(filepath.Join(dir, pid), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pid, filepath.Join(dir, "self")); err != nil {
		t.Fatal(err)
	}
	for list, foreign := range map[string]bool{pid: false, pid + "\t" + pid: true, "": true} {
		status := "Name:\tx\nNSpid:\t" + list + "\nNSsid:\t1\n"
		if err := os.WriteFile(filepath.Join(dir, pid, "status"), []byte(status), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkAt(dir); (err != nil) != foreign {
			t.Errorf("NSpid %q: %v", list, err)
		}
	}
}
