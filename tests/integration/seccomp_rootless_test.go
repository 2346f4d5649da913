// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// userAgent is an agent for containers of an ordinary user. It is asked about every system call,
// and lets each continue.
func userAgent(c *container) *seccompAgent {
	a := newAgent(c, func(uint32) unix.Errno { return proceed })
	if err := os.Chown(a.path, userID, userID); err != nil {
		c.t.Fatal(err)
	}
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: a.path}
	return a
}

// printChildrenAndFDs is a script that prints the process's children and descriptors. The runtime
// must have left neither to it.
const printChildrenAndFDs = `read children </proc/self/task/$$/children; echo "children:$children."; ls -l /proc/$$/fd; true`

func checkNoChildrenOrFDs(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains(out, "children:.") || strings.Contains(out, "seccomp") || strings.Contains(out, "socket:") {
		t.Errorf("children and descriptors of the process: %q", out)
	}
}

// TestRootlessSeccompNotify: an ordinary user's agent is asked about all calls in the container,
// including those of the runtime's init, and of each process that exec adds, although the user
// may not take descriptors from that process.
func TestRootlessSeccompNotify(t *testing.T) {
	onlyBerth(t)
	for _, ids := range []string{"one id", "subordinate ids"} {
		for order, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
			t.Run(ids+", "+order, func(t *testing.T) {
				c := newContainer(t)
				if ids == "one id" {
					c.rootless()
				} else {
					c.rootless(subordinate(t)...)
					c.spec.Process.User = specs.User{UID: 5, GID: 6}
				}
				c.spec.Process.NoNewPrivileges = nnp
				a := userAgent(c)
				c.running()
				if got := a.state(); got.Pid != c.pid || got.State.Status != specs.StateCreating {
					t.Errorf("the agent received %s for create", marshal(t, got))
				}
				checkNoChildrenOrFDs(t, c.execOut(c.id, "sh", "-c", printChildrenAndFDs))
				if got := a.state(); got.Pid == c.pid || got.State.Status != specs.StateRunning {
					t.Errorf("the agent received %s for exec", marshal(t, got))
				}
				c.command("exec", c.id, "sh", "-c", "exit 7").code(7)
				for _, nr := range []uint32{unix.SYS_WRITE, unix.SYS_EXECVE} {
					if !a.wasAsked(nr) {
						t.Errorf("the agent was not asked about system call %d", nr)
					}
				}
			})
		}
	}
}

func TestRootlessSeccompNotifyRun(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless()
	userAgent(c)
	checkNoChildrenOrFDs(t, c.sh(printChildrenAndFDs).output())
}

// TestRootlessSeccompNotifyJoined: the user may not take descriptors of a process that has joined
// a user namespace, whether it is the first one of a new pid namespace or not.
func TestRootlessSeccompNotifyJoined(t *testing.T) {
	onlyBerth(t)
	for _, kinds := range [][]specs.LinuxNamespaceType{{specs.UserNamespace}, {specs.UserNamespace, specs.PIDNamespace}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			first := newContainer(t).rootless().args("/bin/sleep", "1000").create().start()
			c := anotherContainer(t, first).rootless()
			for _, typ := range kinds {
				c.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", first.pid, typ))
			}
			a := userAgent(c)
			c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo hooked >/hooked"}}}}
			out := c.sh(printChildrenAndFDs + "; cat /hooked").output()
			checkNoChildrenOrFDs(t, out)
			if !strings.HasSuffix(out, "\nhooked") {
				t.Errorf("no hook: %q", out)
			}
			if !a.wasAsked(unix.SYS_EXECVE) {
				t.Error("the agent was not asked about execve")
			}
		})
	}
}

// TestRootlessSeccompAgentRefuses: the agent can make calls of the container's processes fail.
func TestRootlessSeccompAgentRefuses(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless()
	a := userAgent(c)
	a.answer = func(nr uint32) unix.Errno {
		if nr == sysMkdir || nr == unix.SYS_MKDIRAT {
			return unix.EXDEV
		}
		return proceed
	}
	c.running()
	a.state()
	if r := c.command("exec", c.id, "mkdir", "/new"); r.status == 0 || !strings.Contains(r.stderr, "ross-device link") {
		t.Errorf("mkdir: status %d, %q", r.status, r.stderr)
	}
}
