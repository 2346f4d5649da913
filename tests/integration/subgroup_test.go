// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// These are the names of crun's annotations. crun only uses them with systemd, so these tests are
// for berth only.
const (
	subgroup = "run.oci.systemd.subgroup"
	delegate = "run.oci.delegate-cgroup"
)

// cgroupV2Of returns the cgroup of a process in the v2 hierarchy.
func cgroupV2Of(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path
		}
	}
	t.Fatalf("no cgroup v2 in %q", data)
	return ""
}

// TestSubgroup: the processes are in a cgroup below the container's cgroup, which has the limits.
// With a delegated cgroup they are one level deeper.
func TestSubgroup(t *testing.T) {
	onlyBerth(t)
	only(t, suite.unified, "cgroup v2")
	for _, test := range []struct{ name, delegated, host, inside string }{
		{"subgroup", "", "/sub", "/"},
		{"delegated", "del", "/sub/del", "/del"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).annotate(subgroup, "sub").annotate(delegate, test.delegated)
			ready := c.fifo("ready")
			c.sh("sed -n 's/^0:://p' /proc/self/cgroup >/ready; exec sleep 1000")
			c.namespace(specs.CgroupNamespace, "")
			c.spec.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"cgroup.max.depth": "5"}}
			c.create()
			want(t, "cgroup", cgroupV2Of(t, c.pid), c.cgroup+test.host)
			want(t, "limit", c.cgroupFile("", "cgroup.max.depth"), "5")
			want(t, "controllers", c.cgroupFile("", strings.TrimPrefix(test.host, "/")+"/cgroup.controllers"),
				c.cgroupFile("", "cgroup.controllers"))
			c.start()
			want(t, "cgroup as seen inside", strings.TrimSpace(ready.line()), test.inside)
			joined := c.command("exec", c.id, "sed", "-n", "s/^0:://p", "/proc/self/cgroup").must()
			want(t, "cgroup of exec as seen inside", strings.TrimSpace(joined.out), test.inside)
			if pids := cgroupPIDs(c); len(pids) > 0 {
				t.Errorf("processes in the container's own cgroup: %d", pids)
			}
			c.command("delete", "--force", c.id).must().silent()
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestDelegatedCgroupOwner: the container's root owns the delegated cgroup, but none above it.
func TestDelegatedCgroupOwner(t *testing.T) {
	onlyBerth(t)
	only(t, suite.unified, "cgroup v2")
	c := newContainer(t).userns().annotate(subgroup, "sub").annotate(delegate, "del")
	c.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid")
	ready := c.fifo("ready")
	c.sh(`exec 2>/dev/null; cd /sys/fs/cgroup
		mkdir more && echo more >/ready; sh -c 'echo 1 >cgroup.procs' && echo up >/ready
		mkdir del/own && echo 1 >del/own/cgroup.procs && echo down >/ready; exec sleep 1000`)
	c.create().start()
	want(t, "what the container's root may", strings.TrimSpace(ready.line()), "down")
	want(t, "cgroup", cgroupV2Of(t, c.pid), c.cgroup+"/sub/del/own")
	for dir, owner := range map[string]uint32{"": 0, "sub": 0, "sub/del": firstID} {
		info, err := os.Stat(filepath.Join(c.cgroupDir(""), dir))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != owner {
			t.Errorf("cgroup %q belongs to %d, want %d", dir, got, owner)
		}
	}
}

// TestSubgroupUndone: a create that fails removes all of these cgroups.
func TestSubgroupUndone(t *testing.T) {
	onlyBerth(t)
	only(t, suite.unified, "cgroup v2")
	c := newContainer(t).annotate(subgroup, "sub").annotate(delegate, "del")
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
	c.tryCreate().fails("createRuntime", "")
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestSubgroupOnLegacy: a cgroup cannot be delegated on v1, where the annotation is otherwise not
// needed.
func TestSubgroupOnLegacy(t *testing.T) {
	onlyBerth(t)
	only(t, !suite.unified, "cgroup v1")
	c := newContainer(t).annotate(subgroup, "sub")
	if r := c.tryCreate().must(); !strings.Contains(r.stderr, "ignored, since it needs cgroup v2") {
		t.Errorf("no warning: %q", r.stderr)
	}
	c.pid = c.readPID()
	if pids := cgroupPIDs(c); !slices.Equal(pids, []int{c.pid}) {
		t.Errorf("processes in the container's cgroup: %d, want %d", pids, c.pid)
	}
	c.command("delete", "--force", c.id).must()
	newContainer(t).annotate(subgroup, "sub").annotate(delegate, "del").tryCreate().
		fails(`annotations["run.oci.delegate-cgroup"]: not supported on cgroup v1`, "")
}

// TestBadSubgroup: a name that would lead out of the container's cgroup.
func TestBadSubgroup(t *testing.T) {
	onlyBerth(t)
	for _, name := range []string{"..", "a/b", "/", "cgroup.procs", "a\n"} {
		for _, key := range []string{subgroup, delegate} {
			newContainer(t).annotate(subgroup, "s").annotate(key, name).tryCreate().fails("annotations["+strconv.Quote(key)+"]", "")
		}
	}
}
