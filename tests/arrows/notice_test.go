// SPDX-License-Identifier: Apache-2.0

package arrows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNotice: licenses require that NOTICE names or reproduces them for everything that is linked
// into berth and berth-top.
func TestNotice(t *testing.T) {
	b, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	notice := string(b)
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", "../../cmd/berth", "../../cmd/berth-top").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		path, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || seen[path] {
			continue
		}
		seen[path] = true
		if !strings.Contains(notice, path) {
			t.Errorf("NOTICE does not name %s", path)
		}
		text, err := os.ReadFile(filepath.Join(dir, "LICENSE"))
		if os.IsNotExist(err) {
			text, err = os.ReadFile(filepath.Join(dir, "LICENSE.txt"))
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "NOTICE")); err == nil {
			t.Errorf("%s has a NOTICE of its own, which must be included in ours", path)
		}
		license := strings.Trim(string(text), "\n")
		if !strings.Contains(license, "Apache License") && !strings.Contains(notice, license) {
			t.Errorf("NOTICE lacks the license of %s", path)
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d modules are linked", len(seen))
	}
}
