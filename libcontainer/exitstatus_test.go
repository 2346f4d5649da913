// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"golang.org/x/sys/unix"
)

// startChild starts a shell as the init of a container, and returns a function that makes it end.
func startChild(t *testing.T, script string) (*Container, func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	p, err := procs.Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{rec: &record.Record{Saved: record.State{PID: cmd.Process.Pid, StartTime: p.StartTime}}}
	return c, func() { _ = stdin.Close() }
}

// TestExitStatusOfZombie: the process has not been reaped.
func TestExitStatusOfZombie(t *testing.T) {
	for script, want := range map[string]int{
		"read x; exit 0": 0, "read x; exit 7": 7, "read x; exit 255": 255, "read x; kill -TERM $$": 128 + 15, "read x; kill -KILL $$": 128 + 9,
	} {
		c, end := startChild(t, script)
		end()
		for range 2 {
			if got, err := c.ExitStatus(); got != want || err != nil {
				t.Errorf("%q: %d, %v, want %d", script, got, err, want)
			}
		}
	}
}

// TestExitStatusOfReaped: the parent has reaped the process, but after the pidfd was opened.
func TestExitStatusOfReaped(t *testing.T) {
	c, end := startChild(t, "read x; exit 7")
	pidfd, _, err := c.rec.OpenInitOrZombie()
	if err != nil {
		t.Fatal(err)
	}
	defer pidfd.Close()
	if _, err := procs.ReapedStatus(pidfd); err == nil {
		t.Error("a living process has an exit status")
	}
	end()
	if _, err := unix.Wait4(c.rec.Saved.PID, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.zombieStatus(); !errors.Is(err, record.ErrNotRunning) {
		t.Errorf("after the process was reaped: %v", err)
	}
	if _, _, err := c.rec.OpenInitOrZombie(); !errors.Is(err, record.ErrNotRunning) {
		t.Errorf("opening the reaped process: %v", err)
	}
	ws, err := procs.ReapedStatus(pidfd)
	if err != nil && strings.Contains(err.Error(), "Linux 6.15") {
		t.Skip(err)
	}
	if err != nil || procs.ExitCode(ws) != 7 {
		t.Errorf("%d, %v, want 7", procs.ExitCode(ws), err)
	}
}
