// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHooks(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	state := `{"id":"x","pad":"` + strings.Repeat("p", 100_000) + `"}`
	script := fmt.Sprintf(`{ echo "$0 $1 $A"; cat | wc -c; pwd; grep SigIgn /proc/self/status; [ -e /proc/self/fd/4 ] || echo no extra; } >>'%s'`, log)
	p := shell(t, "cat '"+log+"'")
	p.Cwd, p.HookState = dir, []byte(state)
	p.Hooks = []Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", script, "first", "arg"}, Env: []string{"A=1"}, TimeoutSeconds: 10},
		{Path: "/bin/true"},
		{Path: "/bin/sh", Args: []string{"sh", "-c", script, "second"}},
	}
	const signals = "SigIgn:\t0000000000000000\nno extra"
	want := fmt.Sprintf("first arg 1\n%d\n%s\n%s\nsecond  \n%d\n%s\n%s", len(state), dir, signals, len(state), dir, signals)
	extra, _ := pipe(t) // for the program, but not for hooks
	if out := run(t, &Options{NewNamespaces: allNew, ExtraFiles: []*os.File{extra, extra}}, p); out != want {
		t.Errorf("output %q, want %q", out, want)
	}
}

// A process that a hook leaves behind may keep the hook's output open. Init does not wait for it.
func TestHookOutput(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "echo", "program")
	p.Hooks = []Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", "head -c 1000000 /dev/zero; head -c 100000 /dev/zero >&2"}},
		{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 100 & echo $!"}},
	}
	within(t, "a hook with a child", func() {
		if out := run(t, nil, p); out != "program" {
			t.Errorf("output %q contains output of the hook", out)
		}
	})
}

// A stream with its own file goes to the file. The other stream is part of the error.
func TestHookFiles(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, own := range []string{"stdout", "stderr", "both"} {
		t.Run(own, func(t *testing.T) {
			r, w := pipe(t)
			p := rootPlan(t, "true")
			p.Hooks = []Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo out; echo err >&2; exit 1"}}}
			inFile, inError := "out\nerr\n", ""
			if own != "stderr" {
				p.HookStdout, inFile, inError = w, "out\n", ": err"
			}
			if own != "stdout" {
				p.HookStderr, inFile, inError = w, "err\n", ": out"
			}
			if own == "both" {
				inFile, inError = "out\nerr\n", ""
			}
			i, path := created(t, nil, p)
			w.Close()
			if err := await(t, i, path); err == nil || err.Error() != "error running startContainer hook /bin/sh: exit status 1"+inError {
				t.Errorf("error %v, want it to end in %q", err, inError)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != inFile {
				t.Errorf("in the file %q, %v, want %q", got, err, inFile)
			}
		})
	}
}

func TestHookFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	sh := func(script string) Hook { return Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}} }
	slow := sh("echo waiting; exec sleep 100")
	slow.TimeoutSeconds = 1
	for _, tt := range []struct {
		name string
		hook Hook
		want string
	}{
		{"exit status", sh("exit 3"), "error running startContainer hook /bin/sh: exit status 3"},
		{"output", sh("echo one; echo two >&2; exit 1"), `error running startContainer hook /bin/sh: exit status 1: one\ntwo`},
		{"control characters", sh(`printf 'a\033[2Jb\377'; exit 1`), `error running startContainer hook /bin/sh: exit status 1: a\x1b[2Jb\xff`},
		{"signal", sh("kill -9 $$"), "error running startContainer hook /bin/sh: killed by signal 9"},
		{"missing", Hook{Path: "/nope"}, "error running startContainer hook /nope: no such file or directory"},
		{"not executable", Hook{Path: "/etc/passwd"}, "error running startContainer hook /etc/passwd: permission denied"},
		{"timeout", slow, "error running startContainer hook /bin/sh: hook ran past specified timeout of 1.0s: waiting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := rootPlan(t, "/nope/never")
			p.Args = []string{"true"}
			p.Hooks = []Hook{{Path: "/bin/true"}, tt.hook, sh("echo never")}
			i, path := created(t, nil, p)
			began := time.Now()
			err := await(t, i, path)
			if !errors.As(err, new(*StepError)) || err.Error() != tt.want {
				t.Errorf("AwaitExec: %v\nwant %s", err, tt.want)
			}
			if took := time.Since(began); tt.hook.TimeoutSeconds > 0 && took < time.Second {
				t.Errorf("killed after %v", took)
			}
			if status := wait(t, i); status.ExitStatus() != 1 {
				t.Errorf("init ended with %#x", status)
			}
		})
	}
}

func TestHookOutputIsCut(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.Hooks = []Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "yes | head -c 50000; exit 1"}}}
	i, path := created(t, nil, p)
	var step *StepError
	if err := await(t, i, path); !errors.As(err, &step) || !strings.Contains(step.Detail, `y\ny\ny`) {
		t.Fatalf("AwaitExec: %v", err)
	}
	if n := strings.Count(step.Detail, "y"); n < 1000 || n > 2000 {
		t.Errorf("%d lines of output", n)
	}
}
