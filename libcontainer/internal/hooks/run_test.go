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

func sh(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "A=b"}}
}

func TestHookGetsStateAndEnv(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	hook := sh(`cat > '` + out + `'; printf " %s" "$A" >> '` + out + `'`)
	state := &specs.State{Version: "1.3.0", ID: "x", Status: specs.StateCreating, Pid: 5, Bundle: "/b"}
	if err := Run("createRuntime", []specs.Hook{hook}, state, Output{}, nil, nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"ociVersion":"1.3.0","id":"x","status":"creating","pid":5,"bundle":"/b"} b`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHookFailures(t *testing.T) {
	one := 1
	slow := sh("echo begun; sleep 1000")
	slow.Timeout = &one
	for _, tc := range []struct {
		name string
		hook specs.Hook
		want string
	}{
		{"exit status", sh("echo out; echo err >&2; exit 3"), `hooks.prestart[0]: error running prestart hook #0: /bin/sh: exit status 3, output: "out\nerr"`},
		{"missing", specs.Hook{Path: "/nope"}, "no such file or directory"},
		{"timeout", slow, `hook ran past specified timeout of 1.0s, output: "begun"`},
		{"signal", sh("kill -TERM $$"), "signal: terminated"},
		{"much output", sh("yes | head -c 1000000; exit 1"), "exit status 1"},
		{"begin of much output", sh("echo BEGIN; yes | head -c 1000000; echo THE REASON >&2; exit 1"), `output: "BEGIN\ny`},
		{"end of much output", sh("echo BEGIN; yes | head -c 1000000; echo THE REASON >&2; exit 1"), `bytes left out]`},
		{"reason after much output", sh("echo BEGIN; yes | head -c 1000000; echo THE REASON >&2; exit 1"), `\nTHE REASON"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Run("prestart", []specs.Hook{tc.hook}, &specs.State{}, Output{}, nil, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q in it", err, tc.want)
			}
			if len(err.Error()) > 3*maxOutput {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// A hook has ended even if it leaves a daemon behind that holds its output open.
func TestHookThatLeavesADaemon(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "stop")
	script := "mkfifo " + fifo + "; (read x < " + fifo + ") &"
	if err := Run("prestart", []specs.Hook{sh(script)}, &specs.State{}, Output{}, nil, nil); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil { // let the daemon end
		t.Error(err)
	}
}

func TestWarnHooksRunsAll(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	Warn("poststop", []specs.Hook{sh("exit 1"), sh("echo second > '" + out + "'")}, &specs.State{}, Output{}, testlog.Log{T: t}, nil)
	if got, err := os.ReadFile(out); err != nil || string(got) != "second\n" {
		t.Errorf("the second hook: %q, %v", got, err)
	}
}
