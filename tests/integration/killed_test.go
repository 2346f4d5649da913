// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// injected runs a command of the runtime with a fault that strace injects into the nth system
// call of a kind, counted in each thread and in init. With alone, only the main thread is traced.
func (c *container) injected(what, kind string, n int, alone bool, args ...string) *result {
	c.t.Helper()
	// With -D the runtime is the child of the tests, as it is without strace.
	strace := []string{"-D", "-qq", "-o", "/dev/null", "-e", "trace=" + kind, "-e", fmt.Sprintf("inject=%s:%s:when=%d", kind, what, n)}
	if !alone {
		strace = append(strace, "-f")
	}
	r, err := c.finish(c.exec(nil, "strace", slices.Concat(strace, []string{suite.runtime}, c.globals(), args)...))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// killedAt is injected with SIGKILL. killed is false if there are fewer than n such calls.
func (c *container) killedAt(kind string, n int, alone bool, args ...string) (killed bool) {
	c.t.Helper()
	r := c.injected("signal=SIGKILL", kind, n, alone, args...)
	if r.status != 0 && r.status != -int(unix.SIGKILL) && (alone || strings.Count(r.stderr, "\n") > 1) {
		c.t.Errorf("%s: status %d: %s", r.what, r.status, r.stderr)
	}
	return r.status != 0
}

// stateAfterKill returns the status of the container; "" if there is none.
func (c *container) stateAfterKill() specs.ContainerState {
	c.t.Helper()
	r := c.command("state", c.id)
	if r.status != 0 {
		r.fails("container does not exist", "o such file or directory")
		return ""
	}
	var s specs.State
	decode(c.t, r.out, &s)
	return s.Status
}

// runningAgain starts the container unless it exists.
func (c *container) runningAgain() {
	c.t.Helper()
	if c.stateAfterKill() == "" {
		c.args("tail", "-f", "/dev/null").create().start()
	}
}

// checkManageable checks that a command that was killed has not damaged the container, except
// that it may be paused.
func (c *container) checkManageable(what string) {
	c.t.Helper()
	if c.stateAfterKill() == "paused" {
		c.command("resume", c.id).must()
	}
	c.status(specs.StateRunning)
	for _, args := range [][]string{
		{"exec", c.id, "/bin/true"},
		{"pause", c.id},
		{"update", "--resources", c.path("limits.json"), c.id},
		{"resume", c.id},
	} {
		if r := c.command(args...); r.status != 0 {
			c.t.Fatalf("%s: %s: status %d: %s", what, r.what, r.status, r.stderr)
		}
	}
}

// killedCommand is a command that is killed while it runs.
type killedCommand struct {
	args []string
	// alone means that only the main thread is traced, because criu itself traces the processes
	// that it starts.
	alone bool
	// before prepares the container for the command, unless the last command has left it in that
	// state.
	before func(c *container)
	// after checks what the command has left.
	after func(c *container, what string)
}

// TestKilledAnywhere: a command that is killed at any moment leaves a container that continues to
// run, or one that delete --force removes completely.
func TestKilledAnywhere(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "root, who has the privileges for all of it")
	_, err := exec.LookPath("strace")
	require(t, err == nil, "strace")
	created := func(c *container) { c.args("sleep", "10000").create() }
	running := (*container).runningAgain
	paused := func(c *container) {
		running(c)
		c.command("pause", c.id).must()
	}
	manageable := (*container).checkManageable
	startable := func(c *container, what string) {
		if c.stateAfterKill() == specs.StateCreated {
			// The start may have taken effect before it was killed.
			if r := c.command("start", c.id); !strings.Contains(r.stderr, "already running") {
				r.must()
			}
		}
		c.status(specs.StateRunning)
		c.checkRemoved(what)
	}
	commands := []killedCommand{
		{args: []string{"create"}, before: (*container).write, after: (*container).checkRemoved},
		{args: []string{"run", "--detach"}, before: (*container).write, after: (*container).checkRemoved},
		{args: []string{"start"}, before: created, after: startable},
		{args: []string{"delete", "--force"}, before: running, after: (*container).checkRemoved},
		{args: []string{"kill", "ID", "KILL"}, before: running, after: (*container).checkRemoved},
		{args: []string{"kill", "ID", "WINCH"}, before: running, after: manageable},
		{args: []string{"exec", "ID", "/bin/true"}, before: running, after: manageable},
		{args: []string{"exec", "--detach", "ID", "/bin/true"}, before: running, after: manageable},
		{args: []string{"pause"}, before: running, after: manageable},
		{args: []string{"resume"}, before: paused, after: manageable},
		{args: []string{"update", "--resources", "limits.json"}, before: running, after: manageable},
		{args: []string{"mounts", "add", "ID", "mounts.json"}, before: running, after: manageable},
		{args: []string{"mounts", "remove", "ID", "mounts.json"}, before: running, after: manageable},
	}
	for _, k := range commands {
		t.Run(strings.Join(k.args, " "), func(t *testing.T) {
			k.test(newContainer(t), "openat", "read", "write", "/poll", "flock", "/^mk",
				"/^(unlink|rmdir|rename)", "/^send", "/^recv", "/^pidfd", "setns", "/^clone", "/mount")
		})
	}
}

// TestKilledCheckpoint: the same for a checkpoint and a restore.
func TestKilledCheckpoint(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "root, who has the privileges for all of it")
	_, err := exec.LookPath("strace")
	require(t, err == nil, "strace")
	running := (*container).runningAgain
	kinds := []string{"openat", "/poll", "/^(send|recv)", "/^(unlink|rmdir|rename)", "/^clone"}
	settled := func(c *container, what string) {
		if s := c.stateAfterKill(); s == "paused" || s == specs.StateRunning {
			c.checkManageable(what)
		} else {
			c.checkRemoved(what)
		}
	}
	commands := []killedCommand{
		{args: []string{"checkpoint", "--image-path", "images", "--leave-running"}, alone: true, before: running, after: settled},
		{args: []string{"checkpoint", "--image-path", "images"}, alone: true, before: running, after: settled},
	}
	for _, k := range commands {
		t.Run(strings.Join(k.args, " "), func(t *testing.T) {
			c := newContainer(t)
			needCriu(t)
			k.test(c, kinds...)
		})
	}
	t.Run("restore", func(t *testing.T) {
		c := newContainer(t)
		needCriu(t)
		c.runningAgain()
		c.command("checkpoint", "--image-path", "images", c.id).must()
		k := killedCommand{args: []string{"restore", "--image-path", "images", "--detach"}, alone: true, before: func(*container) {}, after: (*container).checkRemoved}
		k.test(c, kinds...)
	})
}

// prepare writes the files that the commands need, and returns the command line.
func (k *killedCommand) prepare(c *container) []string {
	c.t.Helper()
	for name, text := range map[string]string{
		"limits.json": `{"cpu": {}}`,
		"mounts.json": `[{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}]`,
	} {
		if err := os.WriteFile(c.path(name), []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	args := slices.Clone(k.args)
	if i := slices.Index(args, "ID"); i >= 0 {
		args[i] = c.id
	} else {
		args = append(args, c.id)
	}
	return args
}

// test kills the command at each kind of system call, which is an expression of strace: at the
// first such call, the third, the ninth and so on.
func (k *killedCommand) test(c *container, kinds ...string) {
	c.t.Helper()
	args := k.prepare(c)
	kills := 0
	for _, kind := range kinds {
		for n := 1; ; n *= 3 {
			if k.before(c); args[0] == "mounts" {
				// The last command may have left the mount or not.
				c.command("mounts", "add", c.id, "mounts.json").must()
				if args[1] == "add" {
					c.unmountMnt()
				}
			}
			killed := c.killedAt(kind, n, k.alone, args...)
			what := fmt.Sprintf("killed at %s, %d", kind, n)
			if k.after(c, what); c.t.Failed() {
				c.t.Fatal(what)
			}
			if !killed {
				break
			}
			kills++
		}
	}
	if kills < 5 {
		c.t.Errorf("killed only %d times", kills)
	}
	c.checkRemoved("in the end")
}

// unmountMnt removes all mounts on /mnt.
func (c *container) unmountMnt() {
	c.t.Helper()
	for c.command("exec", c.id, "/bin/grep", "-q", " /mnt ", "/proc/self/mountinfo").status == 0 {
		c.command("mounts", "remove", c.id, "mounts.json").must()
	}
}

// checkRemoved removes the container, and checks that nothing of it is left.
func (c *container) checkRemoved(what string) {
	c.t.Helper()
	c.stateAfterKill()
	c.command("delete", "--force", c.id).code(0).silent()
	c.killLeftovers()
	c.checkNothingLeft()
	all, err := endProcesses(dying)
	if err != nil {
		c.t.Error(err)
	}
	if len(all) > 0 {
		c.t.Errorf("%s: processes are left: %q", what, all)
	}
}

// TestSystemCallFails: whichever system call fails, the command succeeds or prints one error, and
// its container is unchanged or can be removed. A create leaves nothing behind.
func TestSystemCallFails(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "root, who has the privileges for all of it")
	_, err := exec.LookPath("strace")
	require(t, err == nil, "strace")
	removed := (*container).checkRemoved
	for _, k := range []killedCommand{
		{args: []string{"create"}, before: (*container).write, after: removed},
		{args: []string{"start"}, before: func(c *container) { c.args("sleep", "10000").create() }, after: removed},
		{args: []string{"delete", "--force"}, before: (*container).runningAgain, after: removed},
		{args: []string{"exec", "ID", "/bin/true"}, before: (*container).runningAgain, after: (*container).checkManageable},
		{args: []string{"update", "--resources", "limits.json"}, before: (*container).runningAgain, after: (*container).checkManageable},
	} {
		t.Run(k.args[0], func(t *testing.T) {
			c := newContainer(t)
			args := k.prepare(c)
			// These leave out calls whose failure the runtime does not see or cause, such as Go's
			// own clone, or a read from a pipe.
			for _, kind := range []string{
				"openat", "openat2", "/^mk", "/^rename", "/^send", "/^pidfd", "flock", "setns", "clone3", "/^(fs|open_tree|move_mount)",
			} {
				for n := 1; ; n *= 3 {
					k.before(c)
					r := c.injected("error=ENOMEM", kind, n, false, args...)
					what := fmt.Sprintf("%s fails, %d", kind, n)
					if r.status != 0 && (strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "level=error")) {
						t.Errorf("status %d, stderr %q", r.status, r.stderr)
					}
					// Each thread has an nth call, so that one of the cleanup may fail as well.
					undone := !strings.Contains(r.stderr, "(then, ")
					if r.status != 0 && undone && args[0] == "create" && c.stateAfterKill() != "" {
						t.Errorf("the container is there: %s", r.stderr)
					}
					if k.after(c, what); t.Failed() {
						t.Fatal(what)
					}
					if r.status == 0 && n > 1 {
						break
					}
				}
			}
		})
	}
}
