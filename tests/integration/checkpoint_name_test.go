// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestRestoredSurvives: a run in the foreground, whose container is saved and restored by the
// same name, has nothing to do with the restored one, whenever it comes to notice.
func TestRestoredSurvives(t *testing.T) {
	c := newContainer(t)
	needCriu(t)
	onlyBerth(t)
	waitUp := c.long()
	c.write()
	run := c.launch(nil, "run", c.id)
	waitUp()
	// The program is up, but its start may not be over yet: this waits for the lock.
	c.command("start", c.id).fails("already running", "")
	if err := run.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.tryCheckpoint().must()
	c.restore()
	if err := run.cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if r, err := c.finish(run); err != nil {
		t.Fatal(err)
	} else if r.status != 128+9 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	c.status(specs.StateRunning)
}
