// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestLifecycle(t *testing.T) {
	c := newContainer(t)
	ready := c.fifo("ready")
	c.sh("echo up >/ready; exec sleep 10000")
	c.spec.Annotations = map[string]string{"org.example.key": "a value"}
	c.create()
	if said := ready.pending(); said != "" {
		t.Errorf("the process ran before start: %q", said)
	}
	s := c.stateJSON()
	if s.ID != c.id || s.Pid != c.pid || s.Status != specs.StateCreated || s.Bundle != c.dir {
		t.Errorf("state after create: %+v", s)
	}
	if s.Annotations["org.example.key"] != "a value" {
		t.Errorf("annotations %v", s.Annotations)
	}
	c.start()
	if got := ready.line(); got != "up" {
		t.Errorf("container said %q", got)
	}
	c.status(specs.StateRunning)
	c.command("kill", c.id, "KILL").must().silent()
	if ws := c.wait(); !ws.Signaled() || ws.Signal() != 9 {
		t.Errorf("wait status %#x, want killed by 9", ws)
	}
	s = c.stateJSON()
	if s.Status != specs.StateStopped || s.Pid != 0 {
		t.Errorf("state after the end: %+v", s)
	}
	c.command("delete", c.id).must().silent()
	c.command("state", c.id).fails("container does not exist", "o such file or directory")
}

// TestStateOfZombie: the state of a container whose first process has ended and has not been
// reaped yet. Engines ask for it at that moment.
func TestStateOfZombie(t *testing.T) {
	c := newContainer(t).running()
	st, err := readStat(c.pid)
	if err != nil || st.ppid != os.Getpid() {
		t.Fatalf("%+v, %v: the process is no child of the engine", st, err)
	}
	killAndWaitZombie(c)
	c.status(specs.StateStopped)
	c.command("kill", c.id, "TERM").fails("container not running", "")
	c.command("delete", c.id).must().silent()
}

func TestStateHasCreated(t *testing.T) {
	c := newContainer(t)
	before := time.Now().Add(-time.Second)
	c.create()
	r := c.command("state", c.id).must()
	var s struct{ Created time.Time }
	decode(t, r.out, &s)
	if s.Created.Before(before) || s.Created.After(time.Now()) {
		t.Errorf("created %v, want about now", s.Created)
	}
}

func TestCreateTwice(t *testing.T) {
	c := newContainer(t).create()
	c.tryCreate().code(1).fails("container with given ID already exists", "already exists")
	c.status(specs.StateCreated)
	c.start().wait()
}

func TestStartTwice(t *testing.T) {
	c := newContainer(t).running()
	c.command("start", c.id).fails("cannot start an already running container", "")
	c.status(specs.StateRunning)
}

func TestStartStopped(t *testing.T) {
	c := newContainer(t).create().start()
	c.wait()
	c.command("start", c.id).fails("cannot start a container that has stopped", "")
}

func TestMissingContainer(t *testing.T) {
	for _, args := range [][]string{{"state"}, {"start"}, {"kill"}, {"delete"}} {
		t.Run(args[0], func(t *testing.T) {
			c := newContainer(t)
			c.command(append(args, c.id)...).code(1).fails("container does not exist", "o such file or directory")
		})
	}
	t.Run("delete --force", func(t *testing.T) {
		c := newContainer(t)
		c.command("delete", "--force", c.id).code(0).silent()
	})
}

func TestDeleteRunning(t *testing.T) {
	c := newContainer(t).running()
	c.command("delete", c.id).code(1).fails("cannot delete container "+c.id+" that is not stopped: running", "is not in `created` or `stopped` state")
	c.status(specs.StateRunning)
	c.command("delete", "--force", c.id).must().silent()
	c.command("state", c.id).fails("container does not exist", "o such file or directory")
}

func TestDeleteCreated(t *testing.T) {
	c := newContainer(t).create()
	c.command("delete", c.id).must().silent()
	if c.wait().Signal() != 9 {
		t.Error("the waiting process was not killed")
	}
}

func TestRunRemovesItself(t *testing.T) {
	c := newContainer(t).sh("echo hello")
	r := c.run().must()
	if r.out != "hello\n" || r.stderr != "" {
		t.Errorf("printed %q and %q", r.out, r.stderr)
	}
	c.command("state", c.id).fails("container does not exist", "o such file or directory")
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

func TestRunKeep(t *testing.T) {
	c := newContainer(t)
	c.run("--keep").must().silent()
	c.status(specs.StateStopped)
	c.command("delete", c.id).must().silent()
}

func TestRunDetach(t *testing.T) {
	for _, flag := range []string{"--detach", "-d", "-detach"} {
		t.Run(flag, func(t *testing.T) {
			c := newContainer(t)
			waitUp := c.long()
			c.run(flag, "--pid-file", c.path("pid")).must().silent()
			c.pid = c.readPID()
			waitUp()
			c.status(specs.StateRunning)
			c.command("kill", c.id, "9").must().silent()
			c.wait()
			c.command("delete", c.id).must().silent()
		})
	}
}

// TestConfigIsReadOnce: later changes of the bundle have no effect.
func TestConfigIsReadOnce(t *testing.T) {
	c := newContainer(t)
	out := c.fifo("out")
	c.sh("echo first >/out").create()
	c.sh("echo second >/out").write()
	c.start()
	if got := out.line(); got != "first" {
		t.Errorf("container said %q", got)
	}
	c.wait()
}

func TestBundleIsWorkingDirectory(t *testing.T) {
	c := newContainer(t).sh("echo here")
	c.write()
	if r := c.command("run", c.id).must(); r.out != "here\n" {
		t.Errorf("printed %q", r.out)
	}
}

func TestBundleFlag(t *testing.T) {
	for _, flag := range []string{"--bundle", "-b", "-bundle"} {
		t.Run(flag, func(t *testing.T) {
			c := newContainer(t).sh("echo here")
			c.write()
			other := anotherContainer(t, c)
			other.write()
			// This runs a command for the other container, whose bundle is another directory.
			if r := other.command("run", flag, c.dir, c.id).must(); r.out != "here\n" {
				t.Errorf("printed %q", r.out)
			}
			if r := other.command("run", "--bundle="+c.dir, c.id).must(); r.out != "here\n" {
				t.Errorf("printed %q", r.out)
			}
		})
	}
}

func TestPIDFile(t *testing.T) {
	c := newContainer(t).create()
	data, err := os.ReadFile(c.path("pid"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Trim(string(data), "0123456789") != "" {
		t.Errorf("pid file %q has more than digits", data)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left beside the pid file", e.Name())
		}
	}
	c.start().wait()
}

// TestNothingWaitsWithTheContainer: create leaves only one process, the container's, and it is a
// child of the engine.
func TestNothingWaitsWithTheContainer(t *testing.T) {
	c := newContainer(t).create()
	st, err := readStat(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	if st.ppid != os.Getpid() {
		t.Errorf("parent %d, want %d", st.ppid, os.Getpid())
	}
	for _, pid := range children(t) {
		if pid != c.pid {
			t.Errorf("process %d is left beside the container's %d", pid, c.pid)
		}
	}
	if got := cgroupPIDs(c); len(got) != 1 || got[0] != c.pid {
		t.Errorf("processes in the cgroup: %v, want %d", got, c.pid)
	}
}
