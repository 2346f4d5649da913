// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// withoutCgroup makes the runtime give the container no cgroup, as podman does with
// --cgroups=disabled. Podman then leaves out cgroupsPath, the limits and the cgroup namespace.
func (c *container) withoutCgroup() *container {
	c.global = append(c.global, "--cgroup-manager=disabled")
	c.spec.Linux.CgroupsPath, c.spec.Linux.Resources = "", nil
	return c.without(specs.CgroupNamespace)
}

// TestCgroupDisabled: the container stays in the cgroups of the caller, and its life is as usual.
func TestCgroupDisabled(t *testing.T) {
	c := newContainer(t).withoutCgroup().sh("exec sleep 1000")
	caller, err := c.finish(c.exec(nil, "cat", "/proc/self/cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	own := caller.must().out
	c.create().start()
	got, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != own {
		t.Errorf("cgroups of the container:\n%s\nof the caller:\n%s", got, own)
	}
	c.status(specs.StateRunning)
	if out := c.command("exec", c.id, "cat", "/proc/self/cgroup").must().out; out != own {
		t.Errorf("cgroups of a command:\n%s", out)
	}
	if out := c.command("ps", c.id).must().out; !strings.Contains(out, "sleep 1000") {
		t.Errorf("ps: %s", out)
	}
	c.command("pause", c.id).fails("the container has no cgroup", "")
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.status(specs.StateStopped)
	c.command("delete", c.id).must()
}

// TestCgroupDisabledEndsAll: without a cgroup, the pid namespace ends all processes.
func TestCgroupDisabledEndsAll(t *testing.T) {
	c := newContainer(t).withoutCgroup().sh("sleep 1000 & exec sleep 1000")
	c.create().start()
	c.command("kill", "--all", c.id, "KILL").must()
	c.wait()
	c.command("delete", c.id).must()
}

// TestCgroupDisabledRefused: limits need a cgroup, and so does a pid namespace that is not the
// container's own.
func TestCgroupDisabledRefused(t *testing.T) {
	c := newContainer(t).withoutCgroup().sh("true").without(specs.PIDNamespace)
	c.run().fails("linux.namespaces: --cgroup-manager disabled needs a new pid namespace", "")

	c = anotherContainer(t, c).withoutCgroup().sh("true")
	limit := int64(1 << 26)
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	r := c.run()
	r.fails("linux.resources.memory.limit", "")
	if !strings.Contains(r.stderr, "the container has no cgroup") {
		t.Errorf("message: %s", r.stderr)
	}
}

// TestCgroupDisabledMount: a mount of the cgroups shows the host's, read-only.
func TestCgroupDisabledMount(t *testing.T) {
	c := newContainer(t).withoutCgroup().sh("grep -q ' /sys/fs/cgroup .*[ ,]ro,' /proc/mounts && ls /sys/fs/cgroup && ! mkdir /sys/fs/cgroup/a /sys/fs/cgroup/*/a 2>/dev/null")
	c.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw")
	c.run().must()
}
