// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const paused specs.ContainerState = "paused"

// isFrozen reads from the cgroup whether the container is frozen.
func (c *container) isFrozen() bool {
	c.t.Helper()
	if suite.unified {
		return strings.Contains(c.cgroupFile("", "cgroup.events"), "frozen 1")
	}
	return c.cgroupFile("freezer", "freezer.state") == "FROZEN"
}

func TestPauseResume(t *testing.T) {
	c := newContainer(t).running()
	for range 2 {
		c.command("pause", c.id).must().silent()
		c.status(paused)
		if !c.isFrozen() {
			t.Error("pause has returned, and the container is not frozen")
		}
		c.command("resume", c.id).must().silent()
		c.status(specs.StateRunning)
		if c.isFrozen() {
			t.Error("resume has returned, and the container is frozen")
		}
	}
}

func TestPauseTwice(t *testing.T) {
	c := newContainer(t).running()
	c.command("resume", c.id).fails("container not paused", "")
	c.command("pause", c.id).must()
	c.command("pause", c.id).fails("container not running", "")
	c.status(paused)
}

// TestPauseCreated: a created container can be paused too, and cannot be started while it is
// paused.
func TestPauseCreated(t *testing.T) {
	c := newContainer(t).create()
	c.command("pause", c.id).must().silent()
	c.status(paused)
	c.command("start", c.id).fails("cannot start a container in the paused state", "")
	c.command("resume", c.id).must().silent()
	c.status(specs.StateCreated)
	c.start().wait()
}

func TestPauseStopped(t *testing.T) {
	c := newContainer(t).create().start()
	c.wait()
	c.command("pause", c.id).fails("container not running", "")
	c.command("resume", c.id).fails("container not paused", "")
	c.command("pause", "nobody").fails("container does not exist", "")
	c.command("resume", "nobody").fails("container does not exist", "")
}

// TestPausedEnds: kill and delete do not wait for the container to be resumed.
func TestPausedEnds(t *testing.T) {
	c := newContainer(t).running()
	c.command("pause", c.id).must()
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.status(specs.StateStopped)
	d := anotherContainer(t, c).running()
	d.command("pause", d.id).must()
	d.command("delete", "--force", d.id).must().silent()
	if !endsSoon(d.pid) {
		t.Error("the process still exists")
	}
}
