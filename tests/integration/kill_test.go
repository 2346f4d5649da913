// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// trapper makes the container print the signals that it receives.
func (c *container) trapper(signals ...string) *fifo {
	c.t.Helper()
	out := c.fifo("out")
	var b strings.Builder
	for _, s := range signals {
		b.WriteString("trap 'echo got " + s + " >/out' " + s + "\n")
	}
	b.WriteString("echo up >/out\nwhile :; do sleep 10000 & wait $!; kill $! 2>/dev/null; done")
	c.sh(b.String()).create().start()
	if l := out.line(); l != "up" {
		c.t.Fatalf("container said %q", l)
	}
	return out
}

func TestKillSignals(t *testing.T) {
	c := newContainer(t)
	out := c.trapper("TERM", "HUP", "USR1", "USR2", "INT", "WINCH")
	for _, k := range []struct{ arg, got string }{
		{"", "TERM"},
		{"TERM", "TERM"},
		{"SIGTERM", "TERM"},
		{"15", "TERM"},
		{"HUP", "HUP"},
		{"1", "HUP"},
		{"SIGUSR1", "USR1"},
		{"usr2", "USR2"},
		{"sigint", "INT"},
		{"28", "WINCH"},
	} {
		if suite.name == "crun" && k.arg != strings.ToUpper(k.arg) {
			continue
		}
		args := []string{"kill", c.id}
		if k.arg != "" {
			args = append(args, k.arg)
		}
		c.command(args...).must().silent()
		want(t, "signal for "+k.arg, out.line(), "got "+k.got)
	}
}

func TestKillBadSignal(t *testing.T) {
	c := newContainer(t).running()
	for _, sig := range []string{"NONSENSE", "SIGNONSENSE", "999", "-1", "9x"} {
		if r := c.command("kill", c.id, sig); r.status == 0 {
			t.Errorf("signal %q was accepted", sig)
		}
	}
	c.status(specs.StateRunning)
}

// TestKillNoSignal: scripts may pass an empty signal.
func TestKillNoSignal(t *testing.T) {
	c := newContainer(t)
	out := c.trapper("TERM")
	c.command("kill", c.id, "").must().silent()
	want(t, "signal", out.line(), "got TERM")
}

func TestKillCreated(t *testing.T) {
	c := newContainer(t).create()
	c.command("kill", c.id, "KILL").must().silent()
	if c.wait().Signal() != 9 {
		t.Error("not killed")
	}
	c.status(specs.StateStopped)
}

// TestKillCreatedGently: the signals that ask a process to end do end a container that is not
// started yet, also in its own pid namespace.
func TestKillCreatedGently(t *testing.T) {
	for _, sig := range []string{"TERM", "INT", "HUP", "QUIT", "ABRT"} {
		for _, ns := range []string{"own", "shared"} {
			t.Run(sig+"/"+ns, func(t *testing.T) {
				only(t, suite.name != "crun", "runtimes other than crun, whose init ignores the signals")
				c := newContainer(t)
				if ns == "shared" {
					c.without(specs.PIDNamespace)
				}
				c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/true"}}}
				c.create()
				c.command("kill", c.id, sig).must().silent()
				c.wait()
				c.status(specs.StateStopped)
				c.command("start", c.id).fails("stopped", "")
			})
		}
	}
}

// TestStartedHasDefaultSignals: the program does not inherit init's signal handling.
func TestStartedHasDefaultSignals(t *testing.T) {
	c := newContainer(t)
	// Use cat, since GNU grep has a signal handler of its own.
	out := squeeze(c.args("cat", "/proc/self/status").output())
	if w := "SigIgn: 0000000000000000 SigCgt: 0000000000000000"; !strings.Contains(out, w) {
		t.Errorf("no %q in %q", w, out)
	}
}

func TestKillStopped(t *testing.T) {
	c := newContainer(t).create().start()
	c.wait()
	c.command("kill", c.id, "KILL").code(1).fails("container not running", "")
	c.command("kill", "--all", c.id, "KILL").code(0)
}

// TestKillAll signals each process of a container.
func TestKillAll(t *testing.T) {
	for _, flag := range []string{"--all", "-a"} {
		t.Run(flag, func(t *testing.T) {
			c := newContainer(t)
			out := c.fifo("out")
			c.sh(`sh -c 'trap "echo child >/out; exit" USR1; echo up >/out; while :; do sleep 10000 & wait $!; done' &
				trap 'echo parent >/out' USR1; echo up >/out; while :; do wait; done`)
			c.create().start()
			out.line()
			out.line()
			c.command("kill", flag, c.id, "USR1").must().silent()
			got := []string{out.line(), out.line()}
			if got[0] == got[1] || !strings.Contains(got[0]+got[1], "child") || !strings.Contains(got[0]+got[1], "parent") {
				t.Errorf("signalled %q", got)
			}
		})
	}
}

// TestKillSharedPIDNamespace: SIGKILL ends every process of a container without a pid
// namespace of its own.
func TestKillSharedPIDNamespace(t *testing.T) {
	for name, flags := range map[string][]string{"all": {"--all"}, "one": nil} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t).without(specs.PIDNamespace)
			ready := c.fifo("ready")
			c.sh("sleep 10000 & sleep 10000 & echo up >/ready; exec sleep 10000")
			c.create().start()
			ready.line()
			pids := cgroupPIDs(c)
			if len(pids) != 3 {
				t.Fatalf("processes %v", pids)
			}
			c.command(slices.Concat([]string{"kill"}, flags, []string{c.id, "KILL"})...).must()
			c.wait()
			for _, pid := range pids {
				if pid != c.pid && !endsSoon(pid) {
					t.Errorf("process %d is left", pid)
				}
			}
			livingProcesses(t) // reaps zombies
			c.command("delete", c.id).must()
		})
	}
}

// TestKillLeftovers: without a pid namespace, processes that are left after the first one has
// ended can still be killed, and delete does not wait for any of them.
func TestKillLeftovers(t *testing.T) {
	for name, options := range map[string][]string{"all": {"--all"}, "plain": nil} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t).without(specs.PIDNamespace)
			ready := c.fifo("ready")
			c.sh("sleep 10000 & echo up >/ready; exec true")
			c.create().start()
			ready.line()
			c.wait()
			pids := cgroupPIDs(c)
			if len(pids) != 1 {
				t.Fatalf("processes %v", pids)
			}
			c.command(append(append([]string{"kill"}, options...), c.id, "KILL")...).code(0)
			if !endsSoon(pids[0]) {
				t.Errorf("process %d is left", pids[0])
			}
			livingProcesses(t)
			// No process is left to be killed.
			if len(options) == 0 {
				c.command("kill", c.id, "KILL").code(1).fails("container not running", "")
			}
			c.command("delete", c.id).must()
		})
	}
}

// TestDeleteForceLeftovers: delete --force kills them itself.
func TestDeleteForceLeftovers(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace)
	ready := c.fifo("ready")
	c.sh("sleep 10000 & echo up >/ready; exec true")
	c.create().start()
	ready.line()
	c.wait()
	pids := cgroupPIDs(c)
	c.command("delete", "--force", c.id).must()
	for _, pid := range pids {
		if !endsSoon(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// TestPIDReuse: if the process in the state has another start time, the container is stopped, and
// nothing is signalled.
func TestPIDReuse(t *testing.T) {
	c := newContainer(t).create()
	dead, err := readStat(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	c.start().wait()
	// Now the state of the dead container names a process of the tests. Two processes that start
	// within one tick of the kernel's clock have the same start time.
	var victim *container
	for born := dead.startTime; born == dead.startTime; {
		victim = anotherContainer(t, c).running()
		st, err := readStat(victim.pid)
		if err != nil {
			t.Fatal(err)
		}
		born = st.startTime
	}
	replaceInState(c, c.pid, victim.pid)
	c.status(specs.StateStopped)
	c.command("kill", c.id, "KILL").fails("container not running", "")
	c.command("delete", "--force", c.id).must()
	victim.status(specs.StateRunning)
}

// replaceInState changes the pid in the runtime's saved state. The state may have any format, as
// long as it is JSON in a file of the container's directory.
func replaceInState(c *container, from, to int) {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.state, c.id))
	if err != nil {
		c.t.Fatal(err)
	}
	replaced := 0
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(c.state, c.id, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		text := string(data)
		n := replaceNumber(&text, from, to)
		if n == 0 {
			continue
		}
		replaced += n
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	if replaced == 0 {
		c.t.Fatal("no pid in the saved state")
	}
}

// TestKillAllSharedPIDNamespace signals each process of a container that has no pid namespace of
// its own, also after the first process has ended.
func TestKillAllSharedPIDNamespace(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace)
	out := c.fifo("out")
	c.sh(`sh -c 'trap "echo one >/out" USR1; echo up >/out; while :; do sleep 10000 & wait $!; done' &
		sh -c 'trap "echo two >/out" USR1; echo up >/out; while :; do sleep 10000 & wait $!; done' &
		trap 'exit' USR2; while :; do wait; done`)
	c.create().start()
	out.line()
	out.line()
	c.command("kill", c.id, "USR2").must()
	c.wait()
	c.command("kill", c.id, "USR1").fails("container not running", "")
	c.command("kill", "--all", c.id, "USR1").must().silent()
	if got := []string{out.line(), out.line()}; got[0] == got[1] {
		t.Errorf("signalled %q", got)
	}
	pids := cgroupPIDs(c)
	c.command("kill", "--all", c.id, "9").must().silent()
	for _, pid := range pids {
		if !endsSoon(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	c.command("kill", "--all", c.id, "9").must().silent()
}
