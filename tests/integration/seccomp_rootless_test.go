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

// userAgent is an agent of the ordinary user's containers, which is asked about
// everything and lets everything happen.
func userAgent(c *container) *seccompAgent {
	a := newAgent(c, func(uint32) unix.Errno { return proceed })
	if err := os.Chown(a.path, userID, userID); err != nil {
		c.t.Fatal(err)
	}
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: a.path}
	return a
}

// unfollowed is the script of a process that tells what it finds: itself, and no other
// process nor descriptor that the runtime has left to it.
const unfollowed = `read children </proc/self/task/$$/children; echo "children:$children."; ls -l /proc/$$/fd; true`

func unfollowedBy(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains(out, "children:.") || strings.Contains(out, "seccomp") || strings.Contains(out, "socket:") {
		t.Errorf("what the process finds: %q", out)
	}
}

// TestRootlessSeccompNotify: an ordinary user's agent is asked about all that happens in
// the container, the runtime's first process included, and that of each exec, whose
// descriptors the user may not take.
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
					t.Errorf("the agent was told %s, of create", marshal(t, got))
				}
				unfollowedBy(t, c.execOut(c.id, "sh", "-c", unfollowed))
				if got := a.state(); got.Pid == c.pid || got.State.Status != specs.StateRunning {
					t.Errorf("the agent was told %s, of exec", marshal(t, got))
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
	unfollowedBy(t, c.sh(unfollowed).output())
}

// TestRootlessSeccompNotifyJoined: the user may not take descriptors of a process that
// has joined a user namespace, here the first one of a new pid namespace or another one.
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
			out := c.sh(unfollowed + "; cat /hooked").output()
			unfollowedBy(t, out)
			if !strings.HasSuffix(out, "\nhooked") {
				t.Errorf("no hook: %q", out)
			}
			if !a.wasAsked(unix.SYS_EXECVE) {
				t.Error("the agent was not asked about execve")
			}
		})
	}
}

// TestRootlessSeccompAgentRefuses: what the agent forbids its container's processes.
func TestRootlessSeccompAgentRefuses(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless()
	a := userAgent(c)
	a.answer = func(nr uint32) unix.Errno {
		if nr == unix.SYS_MKDIR || nr == unix.SYS_MKDIRAT {
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
