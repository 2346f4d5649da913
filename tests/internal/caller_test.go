// SPDX-License-Identifier: Apache-2.0

// Package internal tests the shell functions that the tests' scripts share.
package internal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bash sources library and runs a script, with only the variables in env.
func bash(t *testing.T, library, script string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n. ./"+library+"\n"+script)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin:" + filepath.Dir(goTool(t)), "GOCACHE=" + os.Getenv("GOCACHE")}, env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// goTool returns the path of the go command.
func goTool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// TestCaller: scripts work with cron's environment, and with none at all.
func TestCaller(t *testing.T) {
	got, err := bash(t, "caller.sh", `umask; echo "$LC_ALL $HOME"; command -v sysctl >/dev/null || command -v chroot`)
	if want := "0022\nC /"; err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("%v: %q, want %q", err, got, want)
	}
}

// TestStage: ordinary users can run staged programs, wherever they were before, even if only the
// caller can reach TMPDIR.
func TestStage(t *testing.T) {
	needRoot(t)
	private := t.TempDir()
	if err := os.WriteFile(private+"/tool", []byte("#!/bin/sh\necho ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	const script = `stage "$TMPDIR/tool"
echo "$staged"
setpriv --reuid=65534 --regid=65534 --clear-groups "$staged/tool"`
	got, err := bash(t, "caller.sh", script, "TMPDIR="+private)
	dir, said, _ := strings.Cut(got, "\n")
	if err != nil || said != "ran" || strings.HasPrefix(dir, private) {
		t.Errorf("%v: %q", err, got)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}
