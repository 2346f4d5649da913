// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestSystemdLimits: each limit is a property of the unit, so that systemd does not reset it, and
// is written to a file, which has the exact value.
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
	c.checkLimits(v1, v2)
	if allowed := show(t, c.unit(), "DeviceAllow"); !strings.Contains(allowed, "/dev/char/1:3 rwm") || !strings.Contains(allowed, "char-pts rwm") {
		t.Errorf("DeviceAllow %q", allowed)
	}
}

// TestSystemdReload: a reload of systemd's configuration does not undo the limits.
func TestSystemdReload(t *testing.T) {
	c := newScope(t)
	needLimits(t)
	c.spec.Linux.Resources = base()
	c.running()
	systemctl(t, "daemon-reload")
	// This makes systemd write all limits of the unit.
	systemctl(t, "set-property", "--runtime", c.unit(), "CPUAccounting=yes", "TasksAccounting=yes", "MemoryAccounting=yes")
	c.checkLimits(baseLimits())
	c.command("exec", c.id, "sh", "-c", "echo >/dev/null").must().silent()
	c.command("delete", "--force", c.id).must()
	checkNoUnit(t, c.unit())
}

// TestSystemdUpdate: update changes properties as well as files.
func TestSystemdUpdate(t *testing.T) {
	c := newScope(t)
	needLimits(t)
	c.spec.Linux.Resources = base()
	c.running()
	c.command("update", "--pids-limit", "77", "--cpu-quota", "12345", "--memory", "96m", c.id).must().silent()
	v1, v2 := baseLimits()
	v1["pids/pids.max"], v1["cpu/cpu.cfs_quota_us"], v1["memory/memory.limit_in_bytes"] = "77", "12345", "100663296"
	v2["pids.max"], v2["cpu.max"], v2["memory.max"], v2["memory.swap.max"] = "77", "12345 80000", "100663296", "33554432"
	c.checkLimits(v1, v2)
	properties := map[string]string{"TasksMax": "77", "CPUQuotaPerSecUSec": "160ms"}
	showAll(t, c.unit(), properties)
	memory := "MemoryLimit"
	if suite.unified {
		memory = "MemoryMax"
	}
	want(t, memory, show(t, c.unit(), memory), "100663296")

	// A refused update changes nothing.
	c.command("update", "--pids-limit", "78", "--cpu-quota", "23456", "--cpuset-cpus", "4000", c.id).fails("cpu", "")
	if suite.name == "berth" {
		c.checkLimits(v1, v2)
		showAll(t, c.unit(), properties)
	}
}

// TestSystemdTasks: TasksMax cannot be less than 1.
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

// TestSystemdProperties: annotations set properties of the unit.
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
			checkNoUnit(t, c.unit())
			c.checkNothingLeft()
		})
	}
}

// TestSystemdDevices: what the rules deny is denied, although systemd itself would allow it.
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
