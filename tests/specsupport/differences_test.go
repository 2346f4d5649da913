// SPDX-License-Identifier: Apache-2.0

package specsupport_test

import (
	"os"
	"strings"
	"testing"
)

// TestDifferences: each row of docs/differences.md has all six columns, and names existing tests.
func TestDifferences(t *testing.T) {
	text, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	functions := testFunctions(t)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what |") {
			continue
		}
		rows++
		columns := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(columns) != 6 {
			t.Errorf("%d columns, want 6: %s", len(columns), line)
			continue
		}
		for i, c := range columns {
			if strings.TrimSpace(c) == "" {
				t.Errorf("column %d is empty: %s", i, line)
			}
		}
		f := folder.FindStringSubmatch(strings.TrimSpace(columns[5]))
		if f == nil {
			t.Errorf("no folder and tests: %s", line)
			continue
		}
		for name := range strings.SplitSeq(f[2], ", ") {
			if !functions[f[1]][name] {
				t.Errorf("%s has no test %s: %s", f[1], name, line)
			}
		}
	}
	if rows < 30 {
		t.Errorf("only %d rows found", rows)
	}
}

// TestDifferentialReasons: if a row of the differential test refers to a row of
// docs/differences.md, this exists.
func TestDifferentialReasons(t *testing.T) {
	text, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../differential/differences")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(table)) {
		_, name, ok := strings.Cut(strings.TrimSpace(line), " | docs: ")
		if !ok {
			continue
		}
		rows++
		if !strings.Contains(string(text), "\n| "+name+" |") {
			t.Errorf("docs/differences.md has no row %q", name)
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows found", rows)
	}
}
