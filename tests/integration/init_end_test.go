// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// killOnCall sets a profile that ends any process that makes the call.
func (c *container) killOnCall(action specs.LinuxSeccompAction, call string) *container {
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{call}, Action: action}},
	}
	return c
}

// TestInitEndedByFilter: only the runtime can find out which call it was.
func TestInitEndedByFilter(t *testing.T) {
	onlyBerth(t)
	for _, test := range []struct {
		call   string
		action specs.LinuxSeccompAction
		nnp    bool
		// create means that create fails, and not start.
		create bool
	}{
		{"write", specs.ActKillThread, true, true},
		{"write", specs.ActKillProcess, false, true},
		{"capset", specs.ActKillProcess, false, true},
		{"read", specs.ActKillProcess, true, false},
		{"close", specs.ActTrap, true, false},
		{"execve", specs.ActKillProcess, true, false},
		{"execve", specs.ActTrap, false, false},
	} {
		t.Run(test.call+" "+string(test.action), func(t *testing.T) {
			c := newContainer(t).args("true").killOnCall(test.action, test.call)
			c.spec.Process.NoNewPrivileges = test.nnp
			text := "killed by SIGSYS: linux.seccomp ends it for a system call that it needs before the program runs: " + test.call
			if test.create {
				c.tryCreate().fails(text, "")
				c.checkNothingLeft()
				return
			}
			if suite.users.ordinary() {
				text = "" // only root can see the status of a process that is not dumpable
			}
			c.create()
			c.command("start", c.id).fails(text, "")
			c.wait()
			c.status(specs.StateStopped)
		})
	}
}

// TestExecEndedByFilter: exec applies the container's filter.
func TestExecEndedByFilter(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).killOnCall(specs.ActKillProcess, "execve")
	c.spec.Process.NoNewPrivileges = true
	c.create()
	c.command("exec", c.id, "true").code(255).fails("killed by SIGSYS: linux.seccomp ends it", "")
}

// TestInitEndedBySignal: start says which signal ended a created container, while that is known.
func TestInitEndedBySignal(t *testing.T) {
	onlyBerth(t)
	for sig, text := range map[unix.Signal]string{
		unix.SIGKILL: "it was killed by SIGKILL (by somebody, or by the kernel", unix.SIGTERM: "it was ended by SIGTERM",
	} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			c := newContainer(t).args("true").create()
			if err := unix.Kill(c.pid, sig); err != nil {
				t.Fatal(err)
			}
			c.awaitEnd()
			if suite.users.ordinary() {
				text = "" // only root can see the status of a process that is not dumpable
			}
			c.command("start", c.id).fails("cannot start a container that has stopped", "")
			c.command("start", c.id).fails(text, "")
			c.wait()
		})
	}
	t.Run("the program", func(t *testing.T) {
		c := newContainer(t).sh("exit 143").create().start()
		c.awaitEnd()
		r := c.command("start", c.id)
		r.fails("cannot start a container that has stopped", "")
		if strings.Contains(r.stderr, "SIGTERM") {
			t.Errorf("the exit status of the program is taken for that of init: %q", r.stderr)
		}
		c.wait()
	})
}

// awaitEnd waits for the first process to end without reaping it.
func (c *container) awaitEnd() {
	c.t.Helper()
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(suite.limit.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			c.t.Fatalf("process %d does not end: %v", c.pid, err)
		}
		return
	}
}
