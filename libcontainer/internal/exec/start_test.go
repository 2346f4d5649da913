// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/nsenter"
)

// TestTargetEnded: if a container is ending, the error of its exec says so, and not what the
// kernel reports for a process that it kills.
func TestTargetEnded(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	st, err := procs.Read(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	c := &record.Record{Saved: record.State{PID: child.Process.Pid, StartTime: st.StartTime}}
	x := &Execution{c: c, p: &configs.Process{}}
	if x.target, err = c.OpenInit(); err != nil {
		t.Fatal(err)
	}
	defer x.target.Close()
	killed := fmt.Errorf("x: %w", nsenter.ErrInitGone)
	if err := x.explain(killed); errors.Is(err, errStopped) {
		t.Errorf("of a living container: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A zombie has ended, too.
	if _, err := procs.AwaitExit(x.target, time.Now().Add(procs.KillPatience)); err != nil {
		t.Fatal(err)
	}
	if err := x.explain(killed); !errors.Is(err, errStopped) {
		t.Errorf("of one that has just ended: %v", err)
	}
	_ = child.Wait() // killed
	if err := x.explain(killed); !errors.Is(err, errStopped) {
		t.Errorf("of one that was reaped: %v", err)
	}
}

// TestPidsLimit: the limit is reported if it has been reached.
func TestPidsLimit(t *testing.T) {
	for _, test := range []struct{ limit, used, want string }{
		{"max\n", "7\n", ""},
		{"7\n", "6\n", ""},
		{"7\n", "7\n", "7"},
		{"7\n", "8\n", "7"},
		{"7\n", "10\n", "7"},
		{"10\n", "7\n", ""},
		{"10\n", "", ""},
		{"", "7\n", ""},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"pids.max": test.limit, "pids.current": test.used} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, paths := range []map[string]string{{"": dir}, {"": "/none", "pids": dir}} {
			c := &record.Record{Saved: record.State{CgroupPaths: paths}}
			if got := pidsLimit(c); got != test.want {
				t.Errorf("%q of %q: got %q, want %q", test.used, test.limit, got, test.want)
			}
		}
	}
}
