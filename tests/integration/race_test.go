// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rounds is the number of times that a race is run.
const rounds = 12

// runTogether starts commands at the same time and waits for all of them.
func (c *container) runTogether(commands ...[]string) []*result {
	c.t.Helper()
	var all []*running
	for _, args := range commands {
		all = append(all, c.launch(nil, args...))
	}
	var results []*result
	for _, r := range all {
		res, err := c.finish(r)
		if err != nil {
			c.t.Fatal(err)
		}
		if res.status < 0 {
			c.t.Errorf("%s: hung or was killed (%d)", res.what, res.status)
		}
		results = append(results, res)
	}
	return results
}

// succeeded counts the commands with status 0.
func succeeded(results []*result) int {
	n := 0
	for _, r := range results {
		if r.status == 0 {
			n++
		}
	}
	return n
}

func describe(results []*result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "%d %q; ", r.status, shorten(r.stderr))
	}
	return b.String()
}

func TestRaceTwoCreates(t *testing.T) {
	c := newContainer(t)
	c.write()
	for range rounds {
		create := []string{"create", c.id}
		results := c.runTogether(create, create, create)
		if n := succeeded(results); n != 1 {
			t.Fatalf("%d of 3 creates succeeded: %s", n, describe(results))
		}
		c.command("start", c.id).must()
		c.command("delete", "--force", c.id).must()
		c.checkNothingLeft()
		livingProcesses(t)
	}
}

func TestRaceTwoStarts(t *testing.T) {
	c := newContainer(t)
	out := c.fifo("out")
	c.sh("echo started >/out; exec sleep 10000")
	for range rounds {
		c.create()
		start := []string{"start", c.id}
		results := c.runTogether(start, start)
		if n := succeeded(results); n != 1 {
			t.Fatalf("%d of 2 starts succeeded: %s", n, describe(results))
		}
		want(t, "container", out.line(), "started")
		c.command("delete", "--force", c.id).must()
	}
	if more := out.pending(); more != "" {
		t.Errorf("the process ran more than once: %q", more)
	}
}

// TestRaceCreateDelete: whatever wins, nothing is left after one more delete.
func TestRaceCreateDelete(t *testing.T) {
	c := newContainer(t)
	c.write()
	for range rounds {
		results := c.runTogether([]string{"create", c.id}, []string{"delete", "--force", c.id})
		if results[1].status != 0 && suite.name == "berth" {
			t.Errorf("delete --force: %s", describe(results[1:]))
		}
		c.command("delete", "--force", c.id).must()
		c.checkNothingLeft()
		livingProcesses(t)
	}
}

func TestRaceStartDelete(t *testing.T) {
	c := newContainer(t).args("sleep", "10000")
	for range rounds {
		c.create()
		c.runTogether([]string{"start", c.id}, []string{"delete", "--force", c.id})
		c.command("delete", "--force", c.id).must()
		c.checkNothingLeft()
		livingProcesses(t)
	}
}

func TestRaceTwoDeletes(t *testing.T) {
	c := newContainer(t)
	for range rounds {
		c.create()
		remove := []string{"delete", "--force", c.id}
		results := c.runTogether(remove, remove)
		if n := succeeded(results); n == 0 || n != 2 && suite.name == "berth" {
			t.Errorf("deletes: %s", describe(results))
		}
		c.checkNothingLeft()
		livingProcesses(t)
	}
}

// TestRaceListState: list and state do not fail because a container is created or deleted at the
// same time.
func TestRaceListState(t *testing.T) {
	c := newContainer(t)
	// list may fail if the runtime root does not exist yet.
	c.create().command("delete", "--force", c.id).must()
	for range rounds {
		results := c.runTogether([]string{"run", c.id}, []string{"list", "-q"}, []string{"list"}, []string{"state", c.id})
		if results[0].status != 0 {
			t.Errorf("run: %s", describe(results[:1]))
		}
		for _, r := range results[1:3] {
			if r.status != 0 && suite.name == "berth" {
				t.Errorf("%s: status %d, %q", r.what, r.status, r.stderr)
			}
		}
		if r := results[3]; r.status != 0 && suite.name == "berth" && !strings.Contains(r.stderr, "container does not exist") {
			t.Errorf("state: %d, %q", r.status, r.stderr)
		}
	}
}

// TestRuntimeKilled kills the runtime at some point, as if the engine died. delete --force must
// then find and remove everything that was created.
func TestRuntimeKilled(t *testing.T) {
	for _, command := range []string{"create", "run", "run --detach"} {
		t.Run(command, func(t *testing.T) {
			c := newContainer(t).args("sleep", "10000")
			c.write()
			args := append(strings.Fields(command), c.id)
			// Measure how long an undisturbed create takes, to distribute the kills over that
			// time.
			began := time.Now()
			c.command("create", c.id).must()
			whole := time.Since(began)
			c.command("delete", "--force", c.id).must()
			livingProcesses(t)
			for i := range 2 * rounds {
				after := time.Duration(rand.Int64N(int64(whole) * 5 / 4))
				r := c.launch(nil, args...)
				if r.err != nil {
					t.Fatal(r.err)
				}
				timer := time.AfterFunc(after, func() { _ = r.cmd.Process.Signal(unix.SIGKILL) })
				if _, err := c.finish(r); err != nil {
					t.Fatal(err)
				}
				timer.Stop()
				c.command("delete", "--force", c.id).code(0)
				c.checkNothingLeft()
				livingProcesses(t)
				if t.Failed() {
					t.Fatalf("round %d, killed after %v of about %v", i, after, whole)
				}
				// The id can be used again.
				c.write()
			}
			c.command("create", c.id).must()
		})
	}
}

// TestStartKilled: if a start is killed after it has released the container's program, the
// container runs. It cannot be started again, nor deleted as if it were only created.
func TestStartKilled(t *testing.T) {
	c := newContainer(t)
	hooked, goOn, out := c.fifo("hooked"), c.path("rootfs", "go"), c.fifo("out")
	if err := unix.Mkfifo(goOn, 0o666); err != nil {
		t.Fatal(err)
	}
	c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", "echo hooked >/hooked; read x </go"},
	}}}
	c.sh("echo up >/out; exec sleep 10000").create()
	r := c.launch(nil, "start", c.id)
	want(t, "hook", hooked.line(), "hooked")
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goOn, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	want(t, "container", out.line(), "up")
	c.status(specs.StateRunning)
	c.command("start", c.id).code(1).fails("cannot start an already running container", "")
	c.command("delete", c.id).code(1).fails("that is not stopped: running", "")
	c.command("exec", c.id, "true").must()
}

// TestStartReadOnly: a start that cannot save the state has nevertheless started the container,
// and prints a warning.
func TestStartReadOnly(t *testing.T) {
	c := newContainer(t)
	waitUp := c.long()
	c.create()
	if err := unix.Mount(c.state, c.state, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(c.state, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mount("", c.state, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	r := c.command("start", c.id).must()
	if !strings.Contains(r.stderr, "read-only file system") {
		t.Errorf("stderr %q", r.stderr)
	}
	waitUp()
	c.status(specs.StateRunning)
}
