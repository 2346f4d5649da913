// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needSystemd is for tests of the systemd driver, which root runs on a host with systemd.
func needSystemd(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/run/systemd/system")
	only(t, err == nil, "machines with systemd")
	only(t, suite.users.name == "root" || suite.users.name == "userns", "the host's root")
}

// scope makes the container's cgroup a scope of systemd in a slice, which may be in
// others.
func (c *container) scope(slice string, parents ...string) *container {
	c.spec.Linux.CgroupsPath = slice + ":" + suite.token + ":" + c.id
	c.cgroup = "/" + filepath.Join(append(append(parents, slice), c.unit())...)
	return c
}

// unit is the name of the container's scope.
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

// show is a property of a unit, as systemctl prints it.
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

// noUnit checks that systemd does not know the unit. A slice it can always think of.
func noUnit(t *testing.T, unit string) {
	t.Helper()
	if !strings.HasSuffix(unit, ".slice") {
		want(t, "state of "+unit, show(t, unit, "LoadState"), "not-found")
	}
	want(t, "state of "+unit, show(t, unit, "ActiveState"), "inactive")
}

// cgroupOf is the cgroup of a process in the hierarchy that systemd uses.
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
	t.Fatal("no cgroup of systemd")
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
	noUnit(t, c.unit())
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestSystemdAgain uses a name again as soon as the container has gone, of itself, or is
// deleted.
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
	noUnit(t, c.unit())
}

// TestSystemdCollected: the scope goes when the last process does, and nobody misses it.
func TestSystemdCollected(t *testing.T) {
	c := newScope(t).running()
	killAndWaitZombie(c)
	// Each question is answered after systemd has seen to what happened before it.
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

// TestSystemdLimits: each limit is a property, so that systemd does not take it back, and
// a file, which says it exactly.
func TestSystemdLimits(t *testing.T) {
	c := newScope(t)
	needLimits(t)
	r := base()
	r.CPU.Quota = ptr(int64(41234))
	properties := map[string]string{
		"CPUQuotaPerSecUSec": "520ms", "CPUQuotaPeriodUSec": "80ms", "TasksMax": "42", "DevicePolicy": "strict",
	}
	if suite.unified {
		r.CPU.Cpus, r.CPU.Mems = "0", "0"
		r.Unified = map[string]string{"memory.high": "33554432", "cpu.weight": "77"}
		for name, w := range map[string]string{
			"MemoryMax": "67108864", "MemorySwapMax": "67108864", "MemoryLow": "16777216", "MemoryHigh": "33554432",
			"CPUWeight": "77", "AllowedCPUs": "0", "AllowedMemoryNodes": "0", "IOAccounting": "yes",
		} {
			properties[name] = w
		}
	} else {
		properties["MemoryLimit"], properties["CPUShares"] = "67108864", "333"
	}
	c.spec.Linux.Resources = r
	c.running()
	showAll(t, c.unit(), properties)
	v1, v2 := baseLimits()
	v1["cpu/cpu.cfs_quota_us"], v2["cpu.max"] = "41234", "41234 80000"
	v2["memory.high"], v2["cpu.weight"], v2["cpuset.cpus"] = "33554432", "77", "0"
	c.hold(v1, v2)
	if allowed := show(t, c.unit(), "DeviceAllow"); !strings.Contains(allowed, "/dev/char/1:3 rwm") || !strings.Contains(allowed, "char-pts rwm") {
		t.Errorf("DeviceAllow %q", allowed)
	}
}

// TestSystemdReload: when systemd reads its units again, it does not undo the limits.
func TestSystemdReload(t *testing.T) {
	c := newScope(t)
	needLimits(t)
	c.spec.Linux.Resources = base()
	c.running()
	systemctl(t, "daemon-reload")
	// This has it write all limits of the unit.
	systemctl(t, "set-property", "--runtime", c.unit(), "CPUAccounting=yes", "TasksAccounting=yes", "MemoryAccounting=yes")
	c.hold(baseLimits())
	c.command("exec", c.id, "sh", "-c", "echo >/dev/null").must().silent()
	c.command("delete", "--force", c.id).must()
	noUnit(t, c.unit())
}

// TestSystemdUpdate changes properties along with files.
func TestSystemdUpdate(t *testing.T) {
	c := newScope(t)
	needLimits(t)
	c.spec.Linux.Resources = base()
	c.running()
	c.command("update", "--pids-limit", "77", "--cpu-quota", "12345", "--memory", "96m", c.id).must().silent()
	v1, v2 := baseLimits()
	v1["pids/pids.max"], v1["cpu/cpu.cfs_quota_us"], v1["memory/memory.limit_in_bytes"] = "77", "12345", "100663296"
	v2["pids.max"], v2["cpu.max"], v2["memory.max"], v2["memory.swap.max"] = "77", "12345 80000", "100663296", "33554432"
	c.hold(v1, v2)
	properties := map[string]string{"TasksMax": "77", "CPUQuotaPerSecUSec": "160ms"}
	showAll(t, c.unit(), properties)
	memory := "MemoryLimit"
	if suite.unified {
		memory = "MemoryMax"
	}
	want(t, memory, show(t, c.unit(), memory), "100663296")

	// What is refused changes nothing.
	c.command("update", "--pids-limit", "78", "--cpu-quota", "23456", "--cpuset-cpus", "4000", c.id).fails("cpu", "")
	if suite.name == "berth" {
		c.hold(v1, v2)
		showAll(t, c.unit(), properties)
	}
}

// TestSystemdTasks: a limit of tasks below what systemd knows.
func TestSystemdTasks(t *testing.T) {
	for limit, w := range map[int64]string{0: "1", 1: "1", -1: "infinity"} {
		t.Run(strconv.FormatInt(limit, 10), func(t *testing.T) {
			c := newScope(t)
			needController(t, "pids")
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
			c.create()
			want(t, "TasksMax", show(t, c.unit(), "TasksMax"), w)
			c.command("delete", "--force", c.id).must()
		})
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
				// With the container in it, when something goes wrong. In hierarchies
				// of v1 that systemd does not use, its cgroup is the runtime's.
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
			noUnit(t, filepath.Base(c.cgroup))
			if left := cgroupsOf(filepath.Base(c.cgroup)); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestSystemdNoPath: a container without cgroupsPath has a scope of its name.
func TestSystemdNoPath(t *testing.T) {
	c := newScope(t)
	c.spec.Linux.CgroupsPath = ""
	c.args("sleep", "1000").create()
	c.cgroup = cgroupOf(t, c.pid)
	if slice, unit := filepath.Split(c.cgroup); slice != "/system.slice/" || !strings.HasSuffix(unit, "-"+c.id+".scope") {
		t.Errorf("cgroup %q", c.cgroup)
	}
	c.command("delete", "--force", c.id).must()
	noUnit(t, filepath.Base(c.cgroup))
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
			c.nothingLeft()
		})
	}
}

// TestSystemdProperties: annotations are properties of the unit.
func TestSystemdProperties(t *testing.T) {
	c := newScope(t).annotate("org.systemd.property.TimeoutStopSec", "7").
		annotate("org.systemd.property.RuntimeMaxUSec", "uint64 3600000000").
		annotate("org.systemd.property.CollectMode", "'inactive-or-failed'").
		annotate("org.systemd.property.Documentation", "['man:a(1)', 'man:b(1)']")
	c.args("sleep", "1000").create()
	showAll(t, c.unit(), map[string]string{
		"TimeoutStopUSec": "7s", "RuntimeMaxUSec": "1h", "CollectMode": "inactive-or-failed", "Documentation": `"man:a(1)" "man:b(1)"`,
	})
}

func TestSystemdBadProperties(t *testing.T) {
	for name, test := range map[string]struct{ value, text string }{
		"NoSuchThing": {"1", "NoSuchThing"}, "TimeoutStopUSec": {"covfefe", "covfefe"}, "TimeoutStopSec": {"'x'", "x"}, "a": {"1", "name"},
		"KillMode": {"'nonsense'", "nonsense"}, "MemoryMax": {"'a string'", ""}, "Slice": {"'other.slice'", "Slice"},
	} {
		t.Run(name, func(t *testing.T) {
			onlyBerth(t)
			c := newScope(t).annotate("org.systemd.property."+name, test.value)
			c.tryCreate().fails(test.text, "")
			noUnit(t, c.unit())
			c.nothingLeft()
		})
	}
}

// TestSystemdSameUnit: a unit that is in use is not taken over.
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

// TestSystemdFailedUnit: what has failed under the same name is forgotten.
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
	noUnit(t, c.unit())
}

// TestSystemdFailedCreate: nothing is left of a create that fails late.
func TestSystemdFailedCreate(t *testing.T) {
	c := newScope(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
	c.tryCreate().fails("hook", "")
	noUnit(t, c.unit())
	c.nothingLeft()
}

// TestSystemdKilledCreate: after a create that was killed delete finds the unit, if it is
// not gone already.
func TestSystemdKilledCreate(t *testing.T) {
	c := newScope(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -9 $PPID"}}}}
	c.tryCreate().code(-int(unix.SIGKILL))
	c.command("delete", "--force", c.id).must()
	noUnit(t, c.unit())
}

// TestSystemdSubgroup: the processes are below the scope, which has the limits.
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
			noUnit(t, c.unit())
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestSystemdDevices: what the rules deny is denied, though systemd's own are wider.
func TestSystemdDevices(t *testing.T) {
	c := newScope(t)
	full := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: ptr(int64(1)), Access: "rwm"}
	kmsg := specs.LinuxDeviceCgroup{Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "rwm"}
	c.spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, full, kmsg}}
	only(t, suite.unified, "cgroup v2, where there can be such rules")
	c.spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11}, {Path: "/dev/mem2", Type: "c", Major: 1, Minor: 4}, {Path: "/dev/other", Type: "c", Major: 10, Minor: 183},
	}
	c.spec.Process.Capabilities = nil
	out := c.sh("for d in kmsg other null; do (exec </dev/$d) 2>/dev/null && echo $d; done; true").output()
	want(t, "devices that can be opened", out, "null")
}

// TestSystemdRestore: a checkpoint ends the scope, and a restore starts it.
func TestSystemdRestore(t *testing.T) {
	for _, test := range [][]string{nil, {"--manage-cgroups-mode", "ignore"}} {
		t.Run(strings.Join(test, " "), func(t *testing.T) {
			c := newScope(t)
			needCriu(t)
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}
			k := c.counter().up()
			k.checkpoint(test...)
			noUnit(t, c.unit())
			k.restore(test...)
			k.ask()
			want(t, "cgroup", cgroupOf(t, k.pid), c.cgroup)
			showAll(t, c.unit(), map[string]string{"ActiveState": "active", "TasksMax": "33"})
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "33")
			want(t, "processes", strconv.Itoa(len(strings.Fields(c.cgroupFile("pids", "cgroup.procs")))), "1")
			c.command("delete", "--force", c.id).must().silent()
			noUnit(t, c.unit())
			c.nothingLeft()
		})
	}
}

// TestSystemdUser: an ordinary user's containers are units of his own service manager,
// wherever he calls from.
func TestSystemdUser(t *testing.T) {
	runtime := needUserManager(t)
	for _, test := range []string{"private socket", "bus", "nothing"} {
		t.Run(test, func(t *testing.T) {
			if test != "private socket" {
				onlyBerth(t)
			}
			c := newScope(t).rootless()
			c.spec.Linux.CgroupsPath = "user.slice:" + suite.token + ":" + c.id
			switch test {
			case "private socket":
				c.env = append(c.env, "XDG_RUNTIME_DIR="+runtime, "DBUS_SESSION_BUS_ADDRESS=unix:path="+runtime+"/bus")
			case "bus":
				c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+runtime+"/bus")
			}
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}
			c.args("sleep", "1000").create().start()
			c.cgroup = cgroupOf(t, c.pid)
			if !strings.HasSuffix(c.cgroup, fmt.Sprintf("/user@%d.service/user.slice/%s", userID, c.unit())) {
				t.Errorf("cgroup %q", c.cgroup)
			}
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "33")
			c.command("update", "--pids-limit", "44", c.id).must()
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "44")
			c.command("exec", "--detach", "--pid-file", c.path("pid2"), c.id, "sleep", "1000").must()
			pid, err := strconv.Atoi(readFile(t, c.path("pid2")))
			if err != nil {
				t.Fatal(err)
			}
			if suite.name == "berth" { // others leave it where it was
				want(t, "cgroup of exec", cgroupOf(t, pid), c.cgroup)
			}
			killAndReap(pid)
			c.command("delete", "--force", c.id).must().silent()
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// needUserManager is for tests of an ordinary user's own systemd, whose runtime directory
// it tells.
func needUserManager(t *testing.T) (runtime string) {
	t.Helper()
	needSystemd(t)
	only(t, suite.unified, "cgroup v2")
	runtime = fmt.Sprintf("/run/user/%d", userID)
	_, err := os.Stat(runtime + "/systemd/private")
	only(t, err == nil, fmt.Sprintf("machines with a service manager of user %d (systemctl start user@%d.service)", userID, userID))
	return runtime
}

// TestSystemdUserByRoot: root changes and deletes what is a unit of a user's manager.
func TestSystemdUserByRoot(t *testing.T) {
	onlyBerth(t)
	needUserManager(t)
	c := newScope(t).rootless()
	c.spec.Linux.CgroupsPath = "user.slice:" + suite.token + ":" + c.id
	c.args("sleep", "1000").create().start()
	c.cgroup = cgroupOf(t, c.pid)
	// Root's own, which are of no use here.
	c.credential, c.global = nil, nil
	c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+c.dir+"/bus")
	c.command("update", "--pids-limit", "44", c.id).must().silent()
	want(t, "limit", c.cgroupFile("pids", "pids.max"), "44")
	want(t, "TasksMax", userShow(t, c.unit(), "TasksMax"), "44")
	c.command("delete", "--force", c.id).must().silent()
	c.wait()
	want(t, "state of the unit", userShow(t, c.unit(), "LoadState"), "not-found")
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// userShow is show for the user's manager.
func userShow(t *testing.T, unit, property string) string {
	t.Helper()
	cmd := exec.Command("systemctl", "--user", "show", "--property", property, "--value", unit)
	cmd.Env = append(os.Environ(), fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", userID))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl --user show: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestSystemdNoUser: a user without a service manager is told so.
func TestSystemdNoUser(t *testing.T) {
	onlyBerth(t)
	c := newScope(t).rootless()
	c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir)
	c.spec.Linux.CgroupsPath = "user.slice:p:" + c.id
	c.tryCreate().fails(fmt.Sprintf("--systemd-cgroup: systemd does not run for user %d: ", userID), "")
	c.nothingLeft()
}
