// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/procs"
)

// A container does not run just because a process has its pid: the start time must match.
func TestOpenInitIsNotFooledByPidReuse(t *testing.T) {
	child := exec.Command("/bin/sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := child.Process.Pid
	st, err := procs.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	c := &Record{Saved: State{PID: pid, StartTime: st.StartTime}}
	pidfd, err := c.OpenInit()
	if err != nil {
		t.Fatalf("the container's own init is not found: %v", err)
	}
	_ = pidfd.Close()
	c.Saved.StartTime++
	if _, err := c.OpenInit(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another process with init's pid: %v", err)
	}
	c.Saved.StartTime--
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := child.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenInit(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a dead init: %v", err)
	}
	if _, err := procs.Read(pid); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat of a dead process: %v", err)
	}
}
