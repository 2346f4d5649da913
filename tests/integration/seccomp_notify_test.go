// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// state returns the state that the agent has received. It must have received one.
func (a *seccompAgent) state() specs.ContainerProcessState {
	a.t.Helper()
	select {
	case s := <-a.connected:
		return s
	case <-time.After(suite.limit):
		a.t.Fatal("the agent has received no state")
	}
	return specs.ContainerProcessState{}
}

// refuse is an agent's answer that makes every call fail.
func refuse(uint32) unix.Errno { return unix.EXDEV }

func TestSeccompNotify(t *testing.T) {
	for name, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			a := newAgent(c, refuse)
			a.notify(c, "mkdir", "mkdirat")
			c.spec.Annotations = map[string]string{"a": "b"}
			c.spec.Process.NoNewPrivileges = nnp
			c.sh("mkdir /new 2>/error; ls -d /new >>/error 2>&1; ls -l /proc/self/fd >>/error").create().start()
			got := a.state()
			want := specs.ContainerProcessState{
				Version: got.Version, Fds: []string{"seccompFd"}, Pid: c.pid, Metadata: "some\nmetadata",
				State: specs.State{
					Version: got.Version, ID: c.id, Status: specs.StateCreating, Pid: c.pid, Bundle: c.dir,
					Annotations: got.State.Annotations,
				},
			}
			if string(marshal(t, got)) != string(marshal(t, want)) || got.State.Annotations["a"] != "b" || got.Version == "" {
				t.Errorf("the agent received\n%s\nwant\n%s", marshal(t, got), marshal(t, want))
			}
			c.wait()
			out := readFile(t, c.rootfs("error"))
			if !strings.Contains(out, "ross-device link") || !strings.Contains(out, "No such file") {
				t.Errorf("mkdir: %q", out)
			}
			if strings.Contains(out, "seccomp") {
				t.Errorf("the container has the listener: %q", out)
			}
		})
	}
}

// The agent is asked about the calls that the runtime's own init makes after it has loaded the
// filter.
func TestSeccompNotifyOwnCalls(t *testing.T) {
	for name, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			a := newAgent(c, func(uint32) unix.Errno { return proceed })
			a.notify(c, "write", "read", "openat", "open", "close", "sendmsg", "execve", "prctl", "capset", "fcntl", "exit_group")
			c.spec.Process.NoNewPrivileges = nnp
			if out := c.sh("echo from inside").output(); out != "from inside" {
				t.Errorf("output %q", out)
			}
			for _, nr := range []uint32{unix.SYS_WRITE, unix.SYS_EXECVE} {
				if !a.wasAsked(nr) {
					t.Errorf("the agent was not asked about system call %d", nr)
				}
			}
		})
	}
}

// TestSeccompNotifyWaitKillable: a signal that does not kill the process does not interrupt a
// call that the agent has received, or else it would be asked twice.
func TestSeccompNotifyWaitKillable(t *testing.T) {
	onlyBerth(t)
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, 0)
	require(t, errno == unix.EFAULT, "Linux 5.19")
	c := newContainer(t)
	a := newAgent(c, func(uint32) unix.Errno {
		for range 5000 {
			if err := errors.Join(unix.Kill(c.pid, unix.SIGSTOP), unix.Kill(c.pid, unix.SIGCONT)); err != nil {
				t.Error(err)
			}
		}
		return unix.EXDEV
	})
	a.notify(c, "mkdir", "mkdirat")
	c.spec.Linux.Seccomp.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
	c.sh("exec mkdir /new 2>/error").create().start().wait()
	if out := readFile(t, c.rootfs("error")); !strings.Contains(out, "ross-device link") {
		t.Errorf("mkdir: %q", out)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.asked) != 1 {
		t.Errorf("the agent was asked %d times", len(a.asked))
	}
}

func TestSeccompNotifyInUserNamespace(t *testing.T) {
	c := newContainer(t)
	c.namespace(specs.UserNamespace, "")
	c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
	c.spec.Linux.GIDMappings = c.spec.Linux.UIDMappings
	a := newAgent(c, refuse)
	a.notify(c, "mkdir", "mkdirat")
	out := c.sh("mkdir /dev/shm/new 2>&1 || true").output()
	if !strings.Contains(out, "ross-device link") {
		t.Errorf("mkdir: %q", out)
	}
}

func TestSeccompNotifyEverything(t *testing.T) {
	c := newContainer(t)
	a := newAgent(c, func(uint32) unix.Errno { return proceed })
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: a.path}
	if out := c.sh("echo from inside").output(); out != "from inside" {
		t.Errorf("output %q", out)
	}
}

// A profile may have notifications only for system calls that the kernel does not have. Then
// nobody needs to listen.
func TestSeccompNotifyNothing(t *testing.T) {
	c := newContainer(t)
	a := newAgent(c, refuse)
	a.notify(c, "no_such_call")
	c.sh("mkdir /new").run().must()
	select {
	case s := <-a.connected:
		t.Errorf("the agent received %+v", s)
	default:
	}
}

func TestSeccompAgentMissing(t *testing.T) {
	for name, text := range map[string]string{"no socket": "no such file", "nobody listens": "connection refused"} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			a := &seccompAgent{path: c.path("none.sock")}
			if name == "nobody listens" {
				a.path = socketless(c)
			}
			a.notify(c, "mkdir")
			r := c.tryCreate().fails(text, "")
			if suite.name == "berth" {
				r.fails("linux.seccomp.listenerPath: connect "+a.path, "")
			}
			c.command("state", c.id).fails("", "")
		})
	}
}

// If no agent is left to answer, the kernel makes the call fail.
func TestSeccompAgentDies(t *testing.T) {
	c := newContainer(t)
	a := newAgent(c, refuse)
	a.leave = true
	a.notify(c, "mkdir", "mkdirat")
	c.sh("mkdir /new 2>/error || true").create().start().wait()
	if out := readFile(t, c.rootfs("error")); !strings.Contains(out, "not implemented") {
		t.Errorf("mkdir: %q", out)
	}
}

// This includes calls that the runtime's init needs.
func TestSeccompAgentDiesEarly(t *testing.T) {
	only(t, suite.name == "berth", "runtimes with notifications for their own calls that load the filter in create")
	c := newContainer(t)
	a := newAgent(c, refuse)
	a.leave = true
	a.notify(c, "write")
	c.tryCreate().fails("init process is gone (has the seccomp agent at "+a.path, "")
	c.command("state", c.id).fails("does not exist", "")
}

// If an agent never answers, the runtime waits, but it can be interrupted, and then nothing is
// left behind.
func TestSeccompAgentNeverAnswers(t *testing.T) {
	for _, command := range []string{"create", "run"} {
		t.Run(command, func(t *testing.T) {
			c := newContainer(t)
			a := newAgent(c, nil)
			a.notify(c, "write", "close", "openat")
			c.write()
			r := c.launch(nil, command, "--pid-file", c.path("pid"), c.id)
			state := a.state()
			<-a.stuck
			if err := r.cmd.Process.Signal(unix.SIGINT); err != nil {
				t.Error(err)
			}
			result, err := c.finish(r)
			if err != nil {
				t.Fatal(err)
			}
			result.fails("linux.seccomp.listenerPath: interrupt", "")
			if !endsSoon(state.Pid) {
				t.Error("the first process still runs")
			}
			c.command("state", c.id).fails("does not exist", "")
		})
	}
}

func TestSeccompReceiverAnnotation(t *testing.T) {
	c := newContainer(t)
	a := newAgent(c, refuse)
	a.notify(c, "mkdir", "mkdirat")
	c.spec.Linux.Seccomp.ListenerPath, c.spec.Linux.Seccomp.ListenerMetadata = "", ""
	c.spec.Annotations = map[string]string{"run.oci.seccomp.receiver": a.path}
	out := c.sh("mkdir /new 2>&1 || true").output()
	if !strings.Contains(out, "ross-device link") {
		t.Errorf("mkdir: %q", out)
	}
	if got := a.state(); got.State.ID != c.id {
		t.Errorf("the agent received %+v", got)
	}
}
