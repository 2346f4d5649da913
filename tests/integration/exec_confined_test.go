// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestExecKeyring(t *testing.T) {
	c := newContainer(t)
	if _, err := os.Stat("/proc/keys"); err != nil {
		require(t, false, "keyrings in the kernel")
	}
	c.running()
	if out := c.execOut(c.id, "cat", "/proc/keys"); !strings.Contains(out, c.id) {
		t.Errorf("not the container's session keyring: %q", out)
	}
	other := anotherContainer(t, c)
	waitUp := other.long()
	other.create("--no-new-keyring").start()
	waitUp()
	if out := c.execOut(other.id, "cat", "/proc/keys"); strings.Contains(out, other.id) {
		t.Errorf("a new session keyring: %q", out)
	}
}

// TestExecSeccomp: every process of the container gets its filter, even if the bundle no longer
// exists.
func TestExecSeccomp(t *testing.T) {
	for name, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			c.spec.Process.NoNewPrivileges = nnp
			errno := uint(unix.EXDEV)
			c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: &errno}},
			}
			c.running()
			want(t, "filter", c.execStatus()["Seccomp"], "2")
			if r := c.command("exec", c.id, "mkdir", "/new"); r.status == 0 || !strings.Contains(r.stderr, "ross-device link") {
				t.Errorf("mkdir: status %d, %q", r.status, r.stderr)
			}
		})
	}
}

// TestExecSeccompAgent: each process that exec adds has its own listener.
func TestExecSeccompAgent(t *testing.T) {
	c := newContainer(t)
	a := newAgent(c, refuse)
	a.notify(c, "mkdir", "mkdirat")
	c.running()
	a.state()
	pidFile := c.path("exec.pid")
	r := c.command("exec", "--pid-file", pidFile, c.id, "mkdir", "/new")
	if r.status == 0 || !strings.Contains(r.stderr, "ross-device link") {
		t.Errorf("mkdir: status %d, %q", r.status, r.stderr)
	}
	got := a.state()
	pid, err := strconv.Atoi(readFile(t, pidFile))
	if err != nil || got.Pid != pid || got.State.Status != specs.StateRunning || got.State.Pid != c.pid || got.Metadata != "some\nmetadata" {
		t.Errorf("the agent was told %s; want pid %d (%v) in a running container of pid %d", marshal(t, got), pid, err, c.pid)
	}
}

// TestExecAffinity: process.execCPUAffinity applies to processes that exec adds, whatever CPUs
// the caller may use.
func TestExecAffinity(t *testing.T) {
	c := newContainer(t).running()
	wide := c.execOut(c.id, "grep", "Cpus_allowed_list", "/proc/self/status")
	require(t, !strings.HasSuffix(wide, "\t0"), "two CPUs")
	r := c.shell(`exec taskset -c 0 "$@"`, suite.runtime, "--root", c.state, "exec", c.id, "grep", "Cpus_allowed_list", "/proc/self/status").must()
	want(t, "CPUs", strings.TrimSpace(r.out), wide)
	p := &specs.Process{
		Args: []string{"grep", "Cpus_allowed_list", "/proc/self/status"}, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin"},
		ExecCPUAffinity: &specs.CPUAffinity{Initial: "0", Final: "1"},
	}
	want(t, "final CPUs", squeeze(c.execOut("-p", c.process(p), c.id)), "Cpus_allowed_list: 1")
	p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1", Final: "4000"}
	c.command("exec", "-p", c.process(p), c.id).fails("process.execCPUAffinity.final", "")
	p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "4000"}
	c.command("exec", "-p", c.process(p), c.id).fails("process.execCPUAffinity.initial", "")
}

func TestExecPriorities(t *testing.T) {
	c, nice := newContainer(t), max(3, ownNice(t))
	c.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: nice}
	c.running()
	// Fields 19 and 41 of stat are the nice value and the policy.
	want(t, "priorities", c.execOut(c.id, "sh", "-c", "cut -d ' ' -f 19,41 /proc/self/stat"), fmt.Sprintf("%d 3", nice))
}

// TestExecDumpable: the process can read its own files in /proc, whatever init was before.
func TestExecDumpable(t *testing.T) {
	c := newContainer(t).running()
	want(t, "own files", c.execOut("-u", "1000:1000", c.id, "sh", "-c", "readlink /proc/self/exe >/dev/null && cat /proc/self/environ >/dev/null && echo yes"), "yes")
}
