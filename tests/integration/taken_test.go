// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestTaken: configs that runc or crun also accept, and their effect.
func TestTaken(t *testing.T) {
	onlyBerth(t)
	for _, test := range []struct {
		name    string
		change  func(s *specs.Spec)
		warning string
	}{
		{"version with a v", func(s *specs.Spec) { s.Version = "v1.0.2" }, ""},
		{"nice of an idle process", func(s *specs.Spec) {
			s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedIdle, Nice: 5}
		}, "process.scheduler.nice: has no effect with SCHED_IDLE"},
		{"values", func(s *specs.Spec) { s.Linux.Seccomp = manyValues(4000) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).sh("echo runs")
			test.change(c.spec)
			r := c.run().must()
			want(t, "output", r.out, "runs\n")
			if test.warning == "" {
				want(t, "stderr", r.stderr, "")
			} else if !strings.Contains(r.stderr, test.warning) {
				t.Errorf("%q has no %q", r.stderr, test.warning)
			}
		})
	}
}

// manyValues returns a profile that refuses n values of an argument, none of which a program
// uses.
func manyValues(n int) *specs.LinuxSeccomp {
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range n {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{
			Names: []string{"personality"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Index: 1, Value: 100000 + 3*uint64(i), Op: specs.OpEqualTo}},
		})
	}
	return s
}

// TestUnconfined: the profile "unconfined" does not need AppArmor.
func TestUnconfined(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	c.spec.Process.ApparmorProfile = "unconfined"
	c.running()
	want(t, "exec", c.execOut("--apparmor", "unconfined", c.id, "echo", "runs"), "runs")
}

// TestHookTellsTheEnd: the error has the end of a hook's long output, where the reason is.
func TestHookTellsTheEnd(t *testing.T) {
	onlyBerth(t)
	script := []string{"sh", "-c", "echo BEGIN; head -c 200000 /dev/zero | tr '\\0' x; echo; echo THE REASON; exit 3"}
	hook := []specs.Hook{{Path: "/bin/sh", Args: script}}
	for name, hooks := range map[string]*specs.Hooks{
		"createRuntime": {CreateRuntime: hook}, "createContainer": {CreateContainer: hook}, "startContainer": {StartContainer: hook},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t).args("true")
			c.spec.Hooks = hooks
			r := c.run()
			r.fails("BEGIN", "")
			r.fails("THE REASON", "")
			if len(r.stderr) > 8192 {
				t.Errorf("%d bytes", len(r.stderr))
			}
		})
	}
}

// TestUpdateNoMoreTasks: 0 is a limit, and existing processes continue to run.
func TestUpdateNoMoreTasks(t *testing.T) {
	c := newContainer(t)
	needLimits(t)
	onlyBerth(t)
	c.running()
	c.command("update", "--pids-limit", "0", c.id).must().silent()
	// On v1 a task can still be moved into the cgroup, but not fork there.
	if r := c.command("exec", c.id, "sh", "-c", "sleep 0 & wait $!"); r.status == 0 {
		t.Error("one more task")
	}
	c.status(specs.StateRunning)
	if err := unix.Kill(c.pid, 0); err != nil {
		t.Error(err)
	}
}
