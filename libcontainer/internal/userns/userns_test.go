// SPDX-License-Identifier: Apache-2.0

package userns

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
)

func TestIsOwn(t *testing.T) {
	for _, test := range []struct {
		rows []configs.IDMap
		want bool
	}{
		{[]configs.IDMap{row(0, 1000, 1)}, true},
		{[]configs.IDMap{row(7, 1000, 1)}, true},
		{[]configs.IDMap{row(0, 1001, 1)}, false},
		{[]configs.IDMap{row(0, 1000, 2)}, false},
		{[]configs.IDMap{row(0, 1000, 1), row(1, 100000, 1)}, false},
		{nil, false},
	} {
		if got := IsOwn(test.rows, 1000); got != test.want {
			t.Errorf("%v: %v", test.rows, got)
		}
	}
}

// A helper gets the rows as arguments, and its output is in the error.
func TestRunMapHelper(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	script := "#!/bin/sh\necho \"$@\" >'" + dir + "'/args\n[ $1 != 9 ] || { echo not; echo allowed; exit 1; }\n"
	if err := os.WriteFile(filepath.Join(dir, "mapper"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := []configs.IDMap{row(0, 1000, 1), row(1, 100000, 65536)}
	if err := runMapHelper("mapper", 5, rows); err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if want := "5 0 1000 1 1 100000 65536\n"; err != nil || string(args) != want {
		t.Errorf("arguments %q, %v", args, err)
	}
	if err := runMapHelper("mapper", 9, rows); err == nil || !strings.HasSuffix(err.Error(), "not; allowed") {
		t.Errorf("error %v", err)
	}
	if err := runMapHelper("no-such-helper", 9, rows); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
