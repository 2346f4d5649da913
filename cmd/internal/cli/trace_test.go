// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/cmd/internal/command"
)

// TestContainerArgument: the name of a trace's own file has the container's id.
func TestContainerArgument(t *testing.T) {
	without := map[string]bool{"check": true, "doctor": true, "list": true, "spec": true, "features": true, "trace": true, "top": true, "help": true, "completion": true, "builder": true}
	for _, c := range Tree().Children {
		want := 0
		switch {
		case c.Name() == "mounts":
			want = 1
		case without[c.Name()]:
			want = -1
		}
		if got := containerArgument(c); got != want {
			t.Errorf("%s: argument %d, want %d", c.Use, got, want)
		}
	}
	if got := containerArgument(&command.Command{Use: "x"}); got != -1 {
		t.Errorf("without arguments: %d", got)
	}
}

// TestBeginning: the clock is only read if there may be a trace.
func TestBeginning(t *testing.T) {
	for _, tc := range []struct {
		env  string
		argv string
		want bool
	}{
		{"", "--root /x run c", false},
		{"", "", false},
		{"", "--root /x --trace f run c", true},
		{"", "-trace=f run c", true},
		{"f", "run c", true},
	} {
		t.Setenv(traceEnv, tc.env)
		if got := !beginning(strings.Fields(tc.argv)).IsZero(); got != tc.want {
			t.Errorf("%s=%q %q: %t", traceEnv, tc.env, tc.argv, got)
		}
	}
}

// TestNoTraceOfBuilder: a builder process sends its phases to the runtime.
func TestNoTraceOfBuilder(t *testing.T) {
	a := newApp("berth", nil, nil, nil)
	file := filepath.Join(t.TempDir(), "trace.json")
	a.global.trace = file
	if err := a.openTrace(a.builderCommand(), nil); err != nil || a.trace != nil {
		t.Errorf("trace %v, %v", a.trace, err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a file")
	}
	if err := a.openTrace(a.listCommand(), nil); err != nil || a.trace == nil {
		t.Errorf("list: trace %v, %v", a.trace, err)
	}
	if err := a.trace.Close(); err != nil {
		t.Error(err)
	}
}
