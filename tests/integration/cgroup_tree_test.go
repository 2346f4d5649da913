// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/tests/internal/cgrouptree"
)

// cgroupInside is the path, in a container that mounts its cgroups, of the cgroup by which the
// runtime finds the container's processes.
func cgroupInside() string {
	if suite.unified {
		return "/sys/fs/cgroup"
	}
	return "/sys/fs/cgroup/freezer"
}

// writableCgroup lets the container create cgroups. They are removed when the test ends, even if
// the runtime cannot remove them.
func (c *container) writableCgroup() *container {
	c.t.Helper()
	c.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "rw")
	c.t.Cleanup(func() {
		_ = c.command("delete", "--force", c.id)
		c.killLeftovers()
		for _, dir := range cgroupsOf(c.id) {
			if filepath.Base(dir) == c.id {
				if err := cgrouptree.Remove(dir); err != nil {
					c.t.Errorf("leak: cgroup %s: %v", dir, err)
				}
			}
		}
	})
	return c
}

// deeplyNested returns a container with a process in a cgroup that is nested deeper than the
// longest path, another process in a cgroup with control characters in its name, and many empty
// cgroups.
func deeplyNested(t *testing.T) *container {
	t.Helper()
	c := newContainer(t)
	ready := c.fifo("ready")
	c.sh(`cd ` + cgroupInside() + `
		top=$PWD i=0
		while [ $i -lt 420 ]; do mkdir dddddddddd && cd -P dddddddddd || exit; i=$((i+1)); done
		sleep 10000 & echo $! >cgroup.procs
		cd $top
		ugly=$(printf 'we ird\033[31m\303'); mkdir "$ugly"
		sleep 10000 & echo $! >"$ugly/cgroup.procs"
		for i in $(seq 100); do mkdir w$i; done
		echo up >/ready
		wait; exec sleep 10000`)
	c.writableCgroup().create().start()
	ready.line()
	return c
}

// TestDeepCgroups: a container that nests its cgroups deeper than the longest path can still be
// listed, paused, signalled and removed.
func TestDeepCgroups(t *testing.T) {
	c := deeplyNested(t)
	for _, args := range [][]string{
		{"ps", "--format", "json", c.id},
		{"events", "--stats", c.id},
		{"pause", c.id},
		{"resume", c.id},
		{"exec", c.id, "/bin/true"},
	} {
		r := c.command(args...)
		if r.status != 0 {
			t.Errorf("%s: status %d: %s", r.what, r.status, r.stderr)
		}
		if n := strings.Count(r.out, ",") + 1; args[0] == "ps" && n != 3 {
			t.Errorf("ps has %d processes, want 3: %s", n, r.out)
		}
	}
	c.command("kill", "--all", c.id, "TERM").must()
	c.command("delete", "--force", c.id).must().silent()
	c.killLeftovers()
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("%d cgroups are left, for example %q", len(left), shorten(left[0]))
	}
}

// TestDeepCgroupsEnd: after the first process has ended, delete works without --force.
func TestDeepCgroupsEnd(t *testing.T) {
	c := deeplyNested(t)
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.command("delete", c.id).must().silent()
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("%d cgroups are left, for example %q", len(left), shorten(left[0]))
	}
}

// TestFrozenFromInside: on cgroup v1 a frozen process cannot be killed. A container that freezes
// its own first process, in a cgroup below the one that pause uses, can still be removed.
func TestFrozenFromInside(t *testing.T) {
	for _, end := range []string{"delete", "kill"} {
		t.Run(end, func(t *testing.T) {
			c := newContainer(t)
			only(t, !suite.unified, "cgroup v1")
			ready := c.fifo("ready")
			// The process that freezes repeats it as long as it lives.
			c.sh(`mkdir /sys/fs/cgroup/freezer/below
				(cd /sys/fs/cgroup/freezer/below
				echo 1 >cgroup.procs; echo FROZEN >freezer.state; echo up >/ready
				while :; do echo FROZEN >freezer.state; done) &
				exec sleep 10000`)
			c.writableCgroup().create().start()
			ready.line()
			if end == "kill" {
				c.command("kill", c.id, "KILL").must()
			}
			c.command("delete", "--force", c.id).must().silent()
			c.killLeftovers()
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}
