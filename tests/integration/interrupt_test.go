// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stuckHook returns a hook that writes its pid, as in the host's procfs, and never ends.
func (c *container) stuckHook(ready *fifo) []specs.Hook {
	return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "read pid rest </proc/self/stat; echo $pid >" + ready.file.Name() + "; exec sleep 10000"}}}
}

// awaitHookEnd waits for the end of a process that is not a child of the tests.
func awaitHookEnd(t *testing.T, pidfd int) {
	t.Helper()
	if err := pollIn(pidfd); err != nil {
		t.Errorf("the hook does not end: %v", err)
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
}

// whileHook launches a command, and calls do while its hook runs. The hook must then end.
func (c *container) whileHook(ready *fifo, do func(command *os.Process) error, args ...string) *result {
	c.t.Helper()
	command := c.launch(nil, args...)
	pid, err := strconv.Atoi(strings.TrimSpace(ready.line()))
	if err != nil {
		c.t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := do(command.cmd.Process); err != nil {
		c.t.Fatal(err)
	}
	awaitHookEnd(c.t, pidfd)
	r, err := c.finish(command)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestInterrupted: a command that a signal ends undoes what it has done, as after an error.
func TestInterrupted(t *testing.T) {
	onlyBerth(t)
	for _, args := range [][]string{{"create"}, {"run"}, {"run", "--detach"}} {
		for _, kind := range []string{"createRuntime", "createContainer"} {
			for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
				t.Run(strings.Join(args, " ")+" "+kind+" "+unix.SignalName(sig), func(t *testing.T) {
					c := newContainer(t)
					ready := c.fifo("ready")
					c.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{c.logHook("poststop")}}
					if kind == "createRuntime" {
						c.spec.Hooks.CreateRuntime = c.stuckHook(ready)
					} else {
						c.spec.Hooks.CreateContainer = c.stuckHook(ready)
					}
					c.write()
					r := c.whileHook(ready, func(command *os.Process) error { return command.Signal(sig) }, append(args, c.id)...)
					if r.status != 1 || !strings.Contains(r.stderr, "interrupted by "+unix.SignalName(sig)) || strings.Contains(r.stderr, "(then, ") {
						t.Errorf("status %d, stderr %q", r.status, r.stderr)
					}
					want(t, "hooks", c.hookLog(), "poststop")
					c.checkNothingLeft()
				})
			}
		}
	}
}

// TestHookEndsWithCommand: a hook does not outlive a command that is killed.
func TestHookEndsWithCommand(t *testing.T) {
	onlyBerth(t)
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "poststart", "poststop"} {
		t.Run(kind, func(t *testing.T) {
			c := newContainer(t)
			ready := c.fifo("ready")
			stuck := c.stuckHook(ready)
			kill := func(command *os.Process) error { return command.Kill() }
			c.spec.Hooks = &specs.Hooks{}
			switch kind {
			case "prestart":
				c.spec.Hooks.Prestart = stuck
			case "createRuntime":
				c.spec.Hooks.CreateRuntime = stuck
			case "createContainer":
				c.spec.Hooks.CreateContainer = stuck
			case "poststart":
				c.spec.Hooks.Poststart = stuck
				c.create()
				c.whileHook(ready, kill, "start", c.id)
				return
			case "poststop":
				c.spec.Hooks.Poststop = []specs.Hook{{Path: "/bin/sh", Timeout: ptr(20), Args: []string{
					"sh", "-c",
					"test -e " + c.path("again") + " && exit; touch " + c.path("again") + "; read pid rest </proc/self/stat; echo $pid >" + ready.file.Name() + "; exec sleep 10000",
				}}}
				c.args("/bin/true").create().start().wait()
				c.whileHook(ready, kill, "delete", c.id)
				return
			}
			c.write()
			c.whileHook(ready, kill, "create", c.id)
			if _, err := os.Stat(filepath.Join(c.state, c.id)); err != nil {
				t.Error(err)
			}
			reapZombies(t) // the hook is now a child of the tests, and its pid namespace lasts until it is reaped
			c.checkRemoved("in the end")
		})
	}
}
