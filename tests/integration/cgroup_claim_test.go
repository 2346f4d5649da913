// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestKilledCreateSparesOthers: a create for the cgroup of another container does not harm that
// container, neither if it fails nor if it is killed before it notices the conflict.
func TestKilledCreateSparesOthers(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "root, who has the privileges for all of it")
	_, err := exec.LookPath("strace")
	require(t, err == nil, "strace")
	first := newContainer(t).args("sleep", "10000").create().start()
	suite.users.mkdirCgroup(t, filepath.Join(first.cgroupDir("memory"), "below"))
	c := anotherContainer(t, first)
	c.spec.Linux.CgroupsPath = first.cgroup
	c.write()
	states := 0
	for _, kind := range []string{"/^mk", "openat", "/^rename", "/^clone", "read"} {
		for n := 1; ; n++ {
			killed := c.killedAt(kind, n, false, "create", c.id)
			if _, err := os.Stat(filepath.Join(c.state, c.id, "state.json")); err == nil {
				states++
				c.command("ps", c.id).must()
				_ = c.command("kill", "--all", c.id, "KILL")
			}
			c.command("delete", "--force", c.id).must().silent()
			first.status(specs.StateRunning)
			if len(cgroupPIDs(first)) != 1 {
				t.Errorf("processes in the first one's cgroup: %v", cgroupPIDs(first))
			}
			if _, err := os.Stat(filepath.Join(first.cgroupDir("memory"), "below")); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Fatalf("killed at %s, %d", kind, n)
			}
			if !killed || n > 40 {
				break
			}
		}
	}
	if states < 3 {
		t.Errorf("killed %d times after it had written a state, want 3 or more", states)
	}
}

// TestStateOfAnother: delete does not kill what is in the cgroup that a killed create has asked
// for, even if the state was written by an earlier version.
func TestStateOfAnother(t *testing.T) {
	onlyBerth(t)
	first := newContainer(t).args("sleep", "10000").create().start()
	data, err := os.ReadFile(filepath.Join(first.state, first.id, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	decode(t, string(data), &state)
	other := anotherContainer(t, first)
	for _, claimed := range []string{"", "of another"} {
		state["id"], state["pid"], state["startTime"] = other.id, 0, 0
		delete(state, "cgroupClaims")
		if claimed != "" {
			claims := make(map[string]string)
			for key := range state["cgroupPaths"].(map[string]any) {
				claims[key] = "1"
			}
			state["cgroupClaims"] = claims
		}
		dir := filepath.Join(first.state, other.id)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "state.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = other.command("kill", "--all", other.id, "KILL")
		other.command("ps", other.id).must()
		other.command("delete", "--force", other.id).must()
		first.status(specs.StateRunning)
	}
}

// TestReplacedCgroup: a container that has ended distinguishes its own cgroup from the cgroup of
// its successor at the same path.
func TestReplacedCgroup(t *testing.T) {
	onlyBerth(t)
	only(t, !suite.systemd, "the cgroupfs driver, since systemd still uses the unit of the first container")
	first := newContainer(t).args("/bin/true")
	first.create().start().wait()
	for _, dir := range cgroupsOf(first.id) {
		_ = os.Remove(dir)
	}
	second := anotherContainer(t, first)
	second.spec.Linux.CgroupsPath, second.cgroup = first.cgroup, first.cgroup
	second.args("sleep", "10000").create().start()
	_ = first.command("kill", "--all", first.id, "KILL")
	if out := first.command("ps", "--format", "json", first.id).must().out; strings.Contains(out, fmt.Sprint(second.pid)) {
		t.Errorf("ps of the first one: %s", out)
	}
	first.command("delete", "--force", first.id).must().silent()
	second.status(specs.StateRunning)
	if got := cgroupPIDs(second); len(got) != 1 {
		t.Errorf("processes in the cgroup: %v", got)
	}
}

// TestFoundCgroup: a cgroup that existed before the container still exists after it.
func TestFoundCgroup(t *testing.T) {
	c := newContainer(t).args("sleep", "10000")
	only(t, suite.users.name == "root", "root, who can create cgroups")
	only(t, !suite.systemd, "the cgroupfs driver, since systemd would remove its unit")
	onlyBerth(t)
	dir := filepath.Join("/sys/fs/cgroup", c.cgroup)
	if !suite.unified {
		dir = filepath.Join("/sys/fs/cgroup/memory", c.cgroup)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	c.create().start()
	c.command("delete", "--force", c.id).must().silent()
	if left := cgroupsOf(c.id); len(left) != 1 || left[0] != dir {
		t.Errorf("left: %q, want %s", left, dir)
	}
}

// TestSuccessorSurvives: if somebody else deletes the container of a foreground run, run leaves
// the next container of that name alone.
func TestSuccessorSurvives(t *testing.T) {
	c := newContainer(t)
	onlyBerth(t)
	run := c.stoppedRun()
	c.command("delete", "--force", c.id).must()
	c.args("sleep", "10000").create()
	c.endStopped(run)
	c.status(specs.StateCreated)
	c.start()
	c.status(specs.StateRunning)
}

// stoppedRun runs the container in the foreground, and stops the command with SIGSTOP once its
// program runs. From then on the command does not notice what happens to the container.
func (c *container) stoppedRun() *running {
	c.t.Helper()
	waitUp := c.long()
	c.write()
	run := c.launch(nil, "run", c.id)
	waitUp()
	// The program is up, but run may not have finished starting it. This start waits for the lock
	// that run holds.
	c.command("start", c.id).fails("already running", "")
	if err := run.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		c.t.Fatal(err)
	}
	return run
}

// endStopped continues the command, which then notices that the container's program was killed.
func (c *container) endStopped(run *running) {
	c.t.Helper()
	if err := run.cmd.Process.Signal(unix.SIGCONT); err != nil {
		c.t.Fatal(err)
	}
	if r, err := c.finish(run); err != nil {
		c.t.Fatal(err)
	} else if r.status != 128+9 {
		c.t.Errorf("status %d: %s", r.status, r.stderr)
	}
}
