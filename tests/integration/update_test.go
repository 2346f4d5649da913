// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// limits are the expected values by "controller/file" of v1, or by the file of v2.
type limits map[string]string

// checkLimits checks the limits for the version of cgroups in use.
func (c *container) checkLimits(v1, v2 limits) {
	c.t.Helper()
	l := v1
	if suite.unified {
		l = v2
	}
	for path, w := range l {
		controller, file, ok := strings.Cut(path, "/")
		if !ok {
			controller, file = "", path
		}
		want(c.t, file, c.cgroupFile(controller, file), w)
	}
}

// needLimits requires the controllers that most updates use.
func needLimits(t *testing.T) {
	t.Helper()
	for _, controller := range []string{"memory", "cpu", "pids"} {
		needController(t, controller)
	}
}

// base returns the limits before an update.
func base() *specs.LinuxResources {
	return &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(128 << 20)), Reservation: ptr(int64(16 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(333)), Quota: ptr(int64(40000)), Period: ptr(uint64(80000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(42))},
	}
}

// baseLimits returns the same limits as the files show them, if a test changes them.
func baseLimits() (v1, v2 limits) {
	v1 = limits{
		"memory/memory.limit_in_bytes": "67108864", "memory/memory.memsw.limit_in_bytes": "134217728",
		"memory/memory.soft_limit_in_bytes": "16777216", "cpu/cpu.shares": "333", "cpu/cpu.cfs_quota_us": "40000",
		"cpu/cpu.cfs_period_us": "80000", "pids/pids.max": "42",
	}
	v2 = limits{
		"memory.max": "67108864", "memory.swap.max": "67108864", "memory.low": "16777216", "cpu.max": "40000 80000", "pids.max": "42",
	}
	return v1, v2
}

func TestUpdateFlags(t *testing.T) {
	cases := []struct {
		name   string
		args   []string
		v1, v2 limits
	}{
		{"memory", []string{"--memory", "96m"}, limits{"memory/memory.limit_in_bytes": "100663296", "memory/memory.memsw.limit_in_bytes": "134217728"}, limits{"memory.max": "100663296", "memory.swap.max": "33554432"}},
		{"memory without unit", []string{"--memory", "50331648"}, limits{"memory/memory.limit_in_bytes": "50331648"}, limits{"memory.max": "50331648"}},
		{"memory and swap", []string{"--memory=1g", "--memory-swap", "2g"}, limits{"memory/memory.limit_in_bytes": "1073741824", "memory/memory.memsw.limit_in_bytes": "2147483648"}, limits{"memory.max": "1073741824", "memory.swap.max": "1073741824"}},
		{"swap", []string{"--memory-swap", "65536k"}, limits{"memory/memory.memsw.limit_in_bytes": "67108864"}, limits{"memory.swap.max": "0"}},
		{"no memory limit", []string{"--memory", "-1"}, limits{"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.memsw.limit_in_bytes": "9223372036854771712"}, limits{"memory.max": "max", "memory.swap.max": "max"}},
		{"reservation", []string{"--memory-reservation", "8m"}, limits{"memory/memory.soft_limit_in_bytes": "8388608"}, limits{"memory.low": "8388608"}},
		{"shares", []string{"--cpu-share", "1024"}, limits{"cpu/cpu.shares": "1024"}, limits{"cpu.weight": "100"}},
		{"quota", []string{"--cpu-quota", "20000"}, limits{"cpu/cpu.cfs_quota_us": "20000", "cpu/cpu.cfs_period_us": "80000"}, limits{"cpu.max": "20000 80000"}},
		{"period", []string{"--cpu-period", "50000"}, limits{"cpu/cpu.cfs_quota_us": "40000", "cpu/cpu.cfs_period_us": "50000"}, limits{"cpu.max": "40000 50000"}},
		{"no quota", []string{"--cpu-quota=-1"}, limits{"cpu/cpu.cfs_quota_us": "-1"}, limits{"cpu.max": "max 80000"}},
		{"burst", []string{"--cpu-burst", "10000"}, limits{"cpu/cpu.cfs_burst_us": "10000"}, limits{"cpu.max.burst": "10000"}},
		{"idle", []string{"--cpu-idle", "1"}, limits{"cpu/cpu.idle": "1"}, limits{"cpu.idle": "1"}},
		{"cpuset", []string{"--cpuset-cpus", "0", "--cpuset-mems", "0"}, limits{"cpuset/cpuset.cpus": "0", "cpuset/cpuset.mems": "0"}, limits{"cpuset.cpus": "0", "cpuset.mems": "0"}},
		{"pids", []string{"--pids-limit", "77"}, limits{"pids/pids.max": "77"}, limits{"pids.max": "77"}},
		{"no more tasks", []string{"--pids-limit", "0"}, limits{"pids/pids.max": "0"}, limits{"pids.max": "0"}},
		{"no pids limit", []string{"--pids-limit", "-1"}, limits{"pids/pids.max": "max"}, limits{"pids.max": "max"}},
		{"kernel memory", []string{"--kernel-memory", "100m", "--pids-limit", "7"}, limits{"pids/pids.max": "7"}, limits{"pids.max": "7"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			needLimits(t)
			c.spec.Linux.Resources = base()
			c.running()
			c.command(append(append([]string{"update"}, tc.args...), c.id)...).must().silent()
			c.checkLimits(tc.v1, tc.v2)
			c.status(specs.StateRunning)
		})
	}
}

// TestUpdateDocument gives the limits in a document, like engines. Zeros change nothing.
func TestUpdateDocument(t *testing.T) {
	const document = `{"memory":{"limit":100663296,"reservation":0,"swap":100663296,"kernel":0},
		"cpu":{"shares":512,"quota":50000,"period":100000,"cpus":""},"pids":{},"blockIO":{"weight":0}}`
	for _, form := range []string{"-r -", "--resources -", "--resources=-", "-r FILE", "--resources=FILE"} {
		t.Run(strings.ReplaceAll(form, " ", "_"), func(t *testing.T) {
			c := newContainer(t)
			needLimits(t)
			c.spec.Linux.Resources = base()
			c.running()
			file := c.path("limits.json")
			if err := os.WriteFile(file, []byte(document), 0o644); err != nil {
				t.Fatal(err)
			}
			stdin, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			args := strings.Fields("update " + strings.ReplaceAll(form, "FILE", file))
			c.commandWithStdin(stdin, append(args, c.id)...).must().silent()
			v1, v2 := baseLimits()
			v1["memory/memory.limit_in_bytes"], v1["memory/memory.memsw.limit_in_bytes"] = "100663296", "100663296"
			v1["cpu/cpu.shares"], v1["cpu/cpu.cfs_quota_us"], v1["cpu/cpu.cfs_period_us"] = "512", "50000", "100000"
			v2["memory.max"], v2["memory.swap.max"], v2["cpu.max"] = "100663296", "0", "50000 100000"
			c.checkLimits(v1, v2)
		})
	}
}

// TestUpdateFailsWhole: if a limit is refused, those written before it are reset, and the next
// update does not contain them.
func TestUpdateFailsWhole(t *testing.T) {
	c := newContainer(t)
	needLimits(t)
	needController(t, "cpuset")
	c.spec.Linux.Resources = base()
	c.running()
	c.command("update", "--memory", "96m", "--memory-swap", "96m", "--cpu-quota", "20000", "--cpu-share", "555", "--cpuset-cpus", "4000", c.id).
		fails("cpu.cpus", "")
	v1, v2 := baseLimits()
	c.checkLimits(v1, v2)
	c.command("update", "--cpu-period", "50000", c.id).must()
	v1["cpu/cpu.cfs_period_us"], v2["cpu.max"] = "50000", "40000 50000"
	c.checkLimits(v1, v2)
}

// TestUpdateOfIdle: an idle cgroup cannot have shares. The error is one line, and the same update
// works if it also makes the cgroup not idle.
func TestUpdateOfIdle(t *testing.T) {
	c := newContainer(t)
	needLimits(t)
	c.spec.Linux.Resources = base()
	c.running()
	c.command("update", "--cpu-idle", "1", c.id).must()
	r := c.command("update", "--pids-limit", "7", "--cpu-share", "100", c.id)
	if !suite.unified {
		r.fails("linux.resources.cpu.shares: write cpu.shares: invalid argument", "")
		if strings.Contains(r.stderr, "previous") {
			t.Errorf("stderr %q", r.stderr)
		}
		c.checkLimits(limits{"pids/pids.max": "42", "cpu/cpu.idle": "1"}, nil)
	}
	c.command("update", "--cpu-idle", "0", "--cpu-share", "100", c.id).must()
	c.checkLimits(limits{"cpu/cpu.idle": "0", "cpu/cpu.shares": "100"}, limits{"cpu.idle": "0"})
}

// TestUpdateRemembers: an update keeps what earlier updates have set.
func TestUpdateRemembers(t *testing.T) {
	c := newContainer(t)
	needLimits(t)
	c.running()
	c.command("update", "--cpu-quota", "30000", c.id).must()
	c.command("update", "--cpu-period", "60000", "--memory", "64m", c.id).must()
	c.command("update", "--memory-swap", "64m", c.id).must()
	c.checkLimits(limits{
		"cpu/cpu.cfs_quota_us": "30000", "cpu/cpu.cfs_period_us": "60000", "memory/memory.limit_in_bytes": "67108864", "memory/memory.memsw.limit_in_bytes": "67108864",
	}, limits{"cpu.max": "30000 60000", "memory.max": "67108864", "memory.swap.max": "0"})
}

func TestUpdateStates(t *testing.T) {
	c := newContainer(t)
	needLimits(t)
	c.sh("sleep 10000").create()
	c.command("update", "--pids-limit", "11", c.id).must().silent()
	c.checkLimits(limits{"pids/pids.max": "11"}, limits{"pids.max": "11"})
	c.status(specs.StateCreated)
	c.start()
	c.command("pause", c.id).must()
	c.command("update", "--pids-limit", "12", "--memory", "64m", c.id).must().silent()
	c.checkLimits(limits{"pids/pids.max": "12"}, limits{"pids.max": "12"})
	c.status(paused)
	c.command("resume", c.id).must()
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.command("update", "--pids-limit", "13", c.id).fails("container not running", "")
	c.command("update", "--pids-limit", "13", "nobody").fails("container does not exist", "")
}

// TestUpdateLeavesDevices: device rules in a document have no effect.
func TestUpdateLeavesDevices(t *testing.T) {
	c := newContainer(t)
	ready, in := c.fifo("ready"), c.fifo("in")
	c.sh("echo up >/ready; read x </in; (: </dev/loopx) 2>/dev/null && echo open >/ready || echo denied >/ready")
	c.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/loopx", Type: "b", Major: 7, Minor: 0}}
	c.create().start()
	ready.line()
	file := c.path("limits.json")
	if err := os.WriteFile(file, []byte(`{"devices":[{"allow":true,"access":"rwm"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c.command("update", "-r", file, c.id).must().silent()
	in.send("go")
	want(t, "access", ready.line(), "denied")
	c.wait()
}

func TestUpdateBadInput(t *testing.T) {
	c := newContainer(t).running()
	c.command("update", "--memory", "1xx", c.id).fails("invalid value for memory: invalid size: '1xx'", "")
	c.command("update", "--cpu-quota", "much", c.id).fails("invalid value for cpu-quota", "")
	c.command("update", "-9", c.id).fails("-9", "")
	c.command("update", "-r", "/no/such/file", c.id).fails("no such file or directory", "")
	for document, text := range map[string]string{
		"{": "line 1", `{"memory":{"limit":"x"}}`: "memory.limit", `{"unified":{"../x":"1"}}`: "unified", "": "line 1",
	} {
		file := c.path("limits.json")
		if err := os.WriteFile(file, []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
		r := c.command("update", "-r", file, c.id).fails("", "")
		if suite.name == "berth" {
			r.fails(text, "")
		}
	}
}

// TestUpdateNull: null, as encoders write it for missing limits.
func TestUpdateNull(t *testing.T) {
	c := newContainer(t).running()
	file := c.path("limits.json")
	if err := os.WriteFile(file, []byte("null\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.command("update", "-r", file, c.id).must().silent()
}

// TestUpdateWithoutResctrl: a schema for a container that has no resctrl group of its own.
func TestUpdateWithoutResctrl(t *testing.T) {
	c := newContainer(t).running()
	c.command("update", "--l3-cache-schema", "L3:0=f", c.id).fails("", "")
	c.command("update", "--mem-bw-schema", "MB:0=50", c.id).fails("", "")
}
