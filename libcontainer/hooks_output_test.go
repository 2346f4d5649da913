// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestHookOutputFiles(t *testing.T) {
	dir := t.TempDir()
	stdout, stderr := filepath.Join(dir, "out"), filepath.Join(dir, "err")
	if err := os.WriteFile(stdout, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Container{rec: &record.Record{Saved: record.State{HookStdout: stdout, HookStderr: stderr}}}
	hooks := []specs.Hook{sh("echo one; echo two >&2"), sh("echo three")}
	c.warnHooks("poststop", hooks, &specs.State{}, testLog{t})
	for path, want := range map[string]string{stdout: "before\none\nthree\n", stderr: "two\n"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
}

// What has a file is in the file, the other stream still is in the error.
func TestHookOutputHalf(t *testing.T) {
	out, err := openHookOutput(filepath.Join(t.TempDir(), "out"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	err = runHooks("prestart", []specs.Hook{sh("echo one; echo two >&2; exit 1")}, &specs.State{}, out, nil)
	if err == nil || !strings.Contains(err.Error(), `"two"`) || strings.Contains(err.Error(), "one") {
		t.Errorf("error %v", err)
	}
}

func TestHookOutputFails(t *testing.T) {
	dir := t.TempDir()
	_, err := openHookOutput(filepath.Join(dir, "out"), filepath.Join(dir, "no/err"))
	if err == nil || !strings.HasPrefix(err.Error(), "run.oci.hooks.stderr: open ") {
		t.Errorf("error %v", err)
	}
	// Hooks whose failure only warns are run all the same.
	ran := filepath.Join(dir, "ran")
	c := &Container{rec: &record.Record{Saved: record.State{HookStdout: filepath.Join(dir, "no/out")}}}
	c.warnHooks("poststop", []specs.Hook{sh("echo > '" + ran + "'")}, &specs.State{}, testLog{t})
	if _, err := os.Stat(ran); err != nil {
		t.Error(err)
	}
}
