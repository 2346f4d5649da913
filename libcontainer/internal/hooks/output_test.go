// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/testlog"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestHookOutputFiles(t *testing.T) {
	dir := t.TempDir()
	stdout, stderr := filepath.Join(dir, "out"), filepath.Join(dir, "err")
	if err := os.WriteFile(stdout, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hooks := []specs.Hook{sh("echo one; echo two >&2"), sh("echo three")}
	WarnTo(stdout, stderr, "poststop", hooks, &specs.State{}, testlog.Log{T: t}, nil)
	for path, want := range map[string]string{stdout: "before\none\nthree\n", stderr: "two\n"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
}

func TestHookOutputFails(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenOutput(filepath.Join(dir, "out"), filepath.Join(dir, "no/err"))
	if err == nil || !strings.HasPrefix(err.Error(), "run.oci.hooks.stderr: open ") {
		t.Errorf("error %v", err)
	}
	// Hooks whose failure is only a warning run all the same.
	ran := filepath.Join(dir, "ran")
	WarnTo(filepath.Join(dir, "no/out"), "", "poststop", []specs.Hook{sh("echo > '" + ran + "'")}, &specs.State{}, testlog.Log{T: t}, nil)
	if _, err := os.Stat(ran); err != nil {
		t.Error(err)
	}
}
