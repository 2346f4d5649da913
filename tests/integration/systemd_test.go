// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needSystemd skips a test of the systemd driver unless root runs it on a host with systemd.
func needSystemd(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/run/systemd/system")
	only(t, err == nil, "machines with systemd")
	only(t, suite.users.name == "root" || suite.users.name == "userns", "the host's root")
}

// scope makes the container's cgroup a scope of systemd in a slice, which may be below other
// slices.
func (c *container) scope(slice string, parents ...string) *container {
	c.spec.Linux.CgroupsPath = slice + ":" + suite.token + ":" + c.id
	c.cgroup = "/" + filepath.Join(append(append(parents, slice), c.unit())...)
	return c
}

// unit returns the name of the container's scope.
func (c *container) unit() string { return suite.token + "-" + c.id + ".scope" }

// newScope is newContainer with a scope.
func newScope(t *testing.T) *container {
	t.Helper()
	needSystemd(t)
	c := newContainer(t).scope("system.slice")
	c.global = []string{"--systemd-cgroup"}
	return c
}

// systemctl runs systemctl(1), which must succeed.
func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("systemctl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("systemctl %q: %v: %s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// show returns a property of a unit as systemctl prints it.
func show(t *testing.T, unit, property string) string {
	t.Helper()
	return systemctl(t, "show", "--property", property, "--value", unit)
}

// showAll checks properties of a unit.
func showAll(t *testing.T, unit string, properties map[string]string) {
	t.Helper()
	for name, w := range properties {
		want(t, name, show(t, unit, name), w)
	}
}

// checkNoUnit checks that systemd does not know the unit. For a slice it checks that this is
// inactive, since systemd can always create one.
func checkNoUnit(t *testing.T, unit string) {
	t.Helper()
	if !strings.HasSuffix(unit, ".slice") {
		want(t, "state of "+unit, show(t, unit, "LoadState"), "not-found")
	}
	want(t, "state of "+unit, show(t, unit, "ActiveState"), "inactive")
}

// cgroupOf returns the cgroup of a process in the hierarchy that systemd uses.
func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	if suite.unified {
		return cgroupV2Of(t, pid)
	}
	for line := range strings.Lines(readFile(t, "/proc/"+strconv.Itoa(pid)+"/cgroup")) {
		if _, path, ok := strings.Cut(strings.TrimSpace(line), ":name=systemd:"); ok {
			return path
		}
	}
	t.Fatal("no cgroup in systemd's hierarchy")
	return ""
}

// TestSystemdLife goes through the life of a container in a scope.
func TestSystemdLife(t *testing.T) {
	c := newScope(t).running()
	want(t, "cgroup", cgroupOf(t, c.pid), c.cgroup)
	showAll(t, c.unit(), map[string]string{
		"ActiveState": "active", "SubState": "running", "Slice": "system.slice", "ControlGroup": c.cgroup,
		"Delegate": "yes", "DefaultDependencies": "no", "Transient": "yes", "MemoryAccounting": "yes", "TasksAccounting": "yes",
	})
	c.command("exec", c.id, "true").must().silent()
	joined := c.command("exec", "--detach", "--pid-file", c.path("pid2"), c.id, "sleep", "1000").must()
	pid, err := strconv.Atoi(readFile(t, c.path("pid2")))
	if err != nil {
		t.Fatalf("%v, stderr %q", err, joined.stderr)
	}
	want(t, "cgroup of exec", cgroupOf(t, pid), c.cgroup)
	c.command("pause", c.id).must()
	c.status("paused")
	c.command("resume", c.id).must()
	c.command("events", "--stats", c.id).must()
	killAndReap(pid)
	c.command("kill", c.id, "KILL").must().silent()
	c.wait()
	c.status(specs.StateStopped)
	c.command("delete", c.id).must().silent()
	checkNoUnit(t, c.unit())
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestSystemdAgain uses a name again as soon as the container has ended by itself or is deleted.
func TestSystemdAgain(t *testing.T) {
	c := newScope(t).args("true")
	for range 3 {
		c.run().must().silent()
	}
	c.args("sleep", "1000")
	for range 3 {
		c.create()
		c.command("delete", "--force", c.id).must().silent()
	}
	checkNoUnit(t, c.unit())
}

// TestSystemdCollected: the scope ends with its last process, which is not an error for later
// commands.
func TestSystemdCollected(t *testing.T) {
	c := newScope(t).running()
	killAndWaitZombie(c)
	// systemd answers each request after it has handled earlier events.
	for dir := c.cgroupDir("systemd"); ; {
		if _, err := os.Lstat(dir); err != nil {
			break
		}
		systemctl(t, "show", "--property", "Version")
	}
	c.status(specs.StateStopped)
	c.command("delete", c.id).must().silent()
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestSystemdPaths: the forms of cgroupsPath.
func TestSystemdPaths(t *testing.T) {
	token := strings.ReplaceAll(suite.token, "-", "")
	for name, test := range map[string]struct{ slice, prefix, name, want string }{
		"nested slice":  {token + "-a.slice", "p", "ID", "/" + token + ".slice/" + token + "-a.slice/p-ID.scope"},
		"root slice":    {"-.slice", "p", "ID", "/p-ID.scope"},
		"no slice":      {"", "p", "ID", "/system.slice/p-ID.scope"},
		"a slice":       {"", "", token + "-ID.slice", "/" + token + ".slice/" + token + "-ID.slice"},
		"a slice in it": {token + ".slice", "", token + "-ID.slice", "/" + token + ".slice/" + token + "-ID.slice"},
	} {
		t.Run(name, func(t *testing.T) {
			needSystemd(t)
			begin(t)
			t.Cleanup(func() {
				// If the test fails, the container is still in the slice. In v1 hierarchies that
				// systemd does not use, the runtime has made the slice's cgroup.
				systemctl(t, "stop", token+".slice")
				removeCgroupParents()
			})
			c := anotherContainer(t, nil)
			id := strings.ReplaceAll(c.id, "-", "")
			put := func(s string) string { return strings.ReplaceAll(s, "ID", id) }
			c.global = []string{"--systemd-cgroup"}
			c.spec.Linux.CgroupsPath = test.slice + ":" + test.prefix + ":" + put(test.name)
			c.cgroup = put(test.want)
			c.running()
			want(t, "cgroup", cgroupOf(t, c.pid), c.cgroup)
			want(t, "state", show(t, filepath.Base(c.cgroup), "ActiveState"), "active")
			c.command("exec", c.id, "true").must()
			c.command("delete", "--force", c.id).must().silent()
			checkNoUnit(t, filepath.Base(c.cgroup))
			if left := cgroupsOf(filepath.Base(c.cgroup)); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestSystemdNoPath: without cgroupsPath, the scope is named after the container.
func TestSystemdNoPath(t *testing.T) {
	c := newScope(t)
	c.spec.Linux.CgroupsPath = ""
	c.args("sleep", "1000").create()
	c.cgroup = cgroupOf(t, c.pid)
	if slice, unit := filepath.Split(c.cgroup); slice != "/system.slice/" || !strings.HasSuffix(unit, "-"+c.id+".scope") {
		t.Errorf("cgroup %q", c.cgroup)
	}
	c.command("delete", "--force", c.id).must()
	checkNoUnit(t, filepath.Base(c.cgroup))
}

func TestSystemdBadPath(t *testing.T) {
	for path, text := range map[string]string{
		"/a/b": "slice:prefix:name", "a.slice:b": "slice:prefix:name", "a.slice:b:c:d": "slice:prefix:name",
		"a:b:c": "invalid slice name", "a--b.slice:p:c": "invalid slice name", "-a.slice:p:c": "invalid slice name",
		"a.slice:p:c/d": "a unit", "../a.slice:p:c": "a unit",
		"a.slice:p:" + strings.Repeat("x", 300): "255",
	} {
		t.Run(strings.ReplaceAll(path, "/", "|")[:min(len(path), 20)], func(t *testing.T) {
			onlyBerth(t)
			c := newScope(t)
			c.spec.Linux.CgroupsPath = path
			c.tryCreate().fails("cgroupsPath", "").fails(text, "")
			c.checkNothingLeft()
		})
	}
}

// TestSystemdSameUnit: create refuses a unit that is in use.
func TestSystemdSameUnit(t *testing.T) {
	first := newScope(t).running()
	c := anotherContainer(t, first)
	c.global, c.spec.Linux.CgroupsPath = first.global, first.spec.Linux.CgroupsPath
	c.tryCreate().fails("", "")
	c.command("state", c.id).fails("does not exist", "")
	first.status(specs.StateRunning)
	want(t, "state", show(t, first.unit(), "ActiveState"), "active")
	want(t, "cgroup", cgroupOf(t, first.pid), first.cgroup)
}

// TestSystemdFailedUnit: a failed unit with the same name is reset.
func TestSystemdFailedUnit(t *testing.T) {
	c := newScope(t)
	err := exec.Command("systemd-run", "--quiet", "--scope", "--unit", c.unit(), "-p", "RuntimeMaxSec=1", "sleep", "1000").Run()
	if err == nil {
		t.Error("it was not ended")
	}
	for show(t, c.unit(), "ActiveState") == "active" {
	}
	want(t, "state before", show(t, c.unit(), "ActiveState"), "failed")
	c.running()
	want(t, "state", show(t, c.unit(), "ActiveState"), "active")
	c.command("delete", "--force", c.id).must()
	checkNoUnit(t, c.unit())
}

// TestSystemdFailedCreate: a create that fails late leaves nothing behind.
func TestSystemdFailedCreate(t *testing.T) {
	c := newScope(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
	c.tryCreate().fails("hook", "")
	checkNoUnit(t, c.unit())
	c.checkNothingLeft()
}

// TestSystemdKilledCreate: after a create was killed, delete finds the unit if it still exists.
func TestSystemdKilledCreate(t *testing.T) {
	c := newScope(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -9 $PPID"}}}}
	c.tryCreate().code(-int(unix.SIGKILL))
	c.command("delete", "--force", c.id).must()
	checkNoUnit(t, c.unit())
}

// TestSystemdSubgroup: the processes are in a cgroup below the scope, which has the limits.
func TestSystemdSubgroup(t *testing.T) {
	for name, test := range map[string]struct{ sub, del, want, inside string }{
		"subgroup":  {"sub", "", "/sub", "/"},
		"delegated": {"sub", "del", "/sub/del", "/del"},
		"default":   {"", "del", "/container/del", "/del"},
	} {
		t.Run(name, func(t *testing.T) {
			onlyBerth(t)
			only(t, suite.unified, "cgroup v2")
			c := newScope(t)
			for key, value := range map[string]string{subgroup: test.sub, delegate: test.del} {
				if value != "" {
					c.annotate(key, value)
				}
			}
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}
			c.running()
			want(t, "cgroup", cgroupOf(t, c.pid), c.cgroup+test.want)
			want(t, "limit", c.cgroupFile("", "pids.max"), "33")
			want(t, "controllers", c.cgroupFile("", "cgroup.subtree_control"), c.cgroupFile("", "cgroup.controllers"))
			inside := c.command("exec", c.id, "cat", "/proc/self/cgroup").must()
			want(t, "cgroup of exec", strings.TrimSpace(inside.out), "0::"+test.inside)
			c.command("delete", "--force", c.id).must().silent()
			checkNoUnit(t, c.unit())
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestSystemdRestore: a checkpoint ends the scope, and a restore creates it again.
func TestSystemdRestore(t *testing.T) {
	for _, test := range [][]string{nil, {"--manage-cgroups-mode", "ignore"}} {
		t.Run(strings.Join(test, " "), func(t *testing.T) {
			c := newScope(t)
			needCriu(t)
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}
			k := c.counter().runAndCount()
			k.checkpoint(test...)
			checkNoUnit(t, c.unit())
			k.restore(test...)
			k.ask()
			want(t, "cgroup", cgroupOf(t, k.pid), c.cgroup)
			showAll(t, c.unit(), map[string]string{"ActiveState": "active", "TasksMax": "33"})
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "33")
			want(t, "processes", strconv.Itoa(len(strings.Fields(c.cgroupFile("pids", "cgroup.procs")))), "1")
			c.command("delete", "--force", c.id).must().silent()
			checkNoUnit(t, c.unit())
			c.checkNothingLeft()
		})
	}
}
