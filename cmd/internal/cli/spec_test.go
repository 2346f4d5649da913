// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// written returns the config.json that spec has written into dir.
func written(t *testing.T, dir string) *specs.Spec {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := new(specs.Spec)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSpecProgram: one word for each --args, whatever it looks like, or all words after --.
func TestSpecProgram(t *testing.T) {
	for _, test := range []struct{ argv, want []string }{
		{nil, []string{"sh"}},
		{[]string{"--"}, []string{"sh"}},
		{[]string{"--args", "sleep", "-args=1000"}, []string{"sleep", "1000"}},
		{[]string{"--args", "sh", "--args", "--", "--args", "-c", "--args="}, []string{"sh", "--", "-c", ""}},
		{[]string{"--", "sleep", "--rootless", "--", "-b"}, []string{"sleep", "--rootless", "--", "-b"}},
	} {
		dir := t.TempDir()
		got := invoke(t, "berth", append([]string{"spec", "--bundle", dir}, test.argv...)...)
		if got.status != 0 || got.stdout+got.stderr != "" {
			t.Fatalf("%q: %+v", test.argv, got)
		}
		if args := written(t, dir).Process.Args; !slices.Equal(args, test.want) {
			t.Errorf("%q: %q, want %q", test.argv, args, test.want)
		}
	}
}

func TestSpecTerminal(t *testing.T) {
	for option, want := range map[string]bool{
		"--rootless=false": true, "--tty": true, "-t": true, "--tty=false": false, "--no-tty": false, "--no-tty=false": true,
	} {
		dir := t.TempDir()
		if got := invoke(t, "berth", "spec", "-b", dir, option); got.status != 0 {
			t.Fatalf("%s: %+v", option, got)
		}
		if terminal := written(t, dir).Process.Terminal; terminal != want {
			t.Errorf("%s: terminal %v", option, terminal)
		}
	}
}

// TestSpecRefuses: there is an error of one line, and no file.
func TestSpecRefuses(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want string
	}{
		{[]string{"sleep"}, `berth: \"spec\" requires exactly 0 argument(s); the container's program stands behind --`},
		{[]string{"x", "--", "sleep"}, "requires exactly 0 argument(s)"},
		{[]string{"--args", "a", "--", "b"}, `--args: there is a program behind -- already: [\"b\"]`},
		{[]string{"--tty", "--no-tty"}, "--tty: not together with --no-tty"},
		{[]string{"--memory", ""}, "--memory: must not be empty"},
		{[]string{"--user="}, "--user: must not be empty"},
		{[]string{"--memory", "1x"}, "--memory: invalid size: '1x'"},
		{[]string{"--subids"}, "--subids: only together with --rootless"},
	} {
		dir := t.TempDir()
		got := invoke(t, "berth", append([]string{"spec", "--bundle", dir}, test.argv...)...)
		if got.status != exitFailure || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%q: %+v, want %s", test.argv, got, test.want)
		}
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err == nil {
			t.Errorf("%q: there is a config.json", test.argv)
		}
	}
}
