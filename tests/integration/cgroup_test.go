// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCgroupPlacement(t *testing.T) {
	c := newContainer(t).create()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		// The runtime does not use a hierarchy that is not mounted here.
		if suite.unified && f[1] != "" {
			continue
		}
		if !suite.unified && !isMounted("/sys/fs/cgroup/"+hierarchyDir(f[1])) {
			continue
		}
		if f[2] != c.cgroup {
			t.Errorf("cgroup %q, want %s", line, c.cgroup)
		}
	}
}

// hierarchyDir returns the usual mount point of a hierarchy in /proc/PID/cgroup.
func hierarchyDir(controllers string) string {
	if controllers == "" {
		return "unified"
	}
	return strings.TrimPrefix(controllers, "name=")
}

func isMounted(path string) bool {
	data, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && slices.ContainsFunc(parseMountinfo(string(data)), func(m mountEntry) bool { return m.point == path })
}

// TestCgroupOfChildren: child processes of the container are in its cgroup too, and delete
// removes all of them.
func TestCgroupOfChildren(t *testing.T) {
	c := newContainer(t)
	ready := c.fifo("ready")
	c.sh("sleep 10000 & sleep 10000 & echo up >/ready; wait")
	c.create().start()
	ready.line()
	if n := len(cgroupPIDs(c)); n != 3 {
		t.Errorf("%d processes in the cgroup, want 3", n)
	}
	c.command("delete", "--force", c.id).must().silent()
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestCgroupWithSubgroups: delete removes cgroups that the container has created.
func TestCgroupWithSubgroups(t *testing.T) {
	c := newContainer(t).running()
	for _, sub := range []string{"a", "a/b", "c"} {
		suite.users.mkdirCgroup(t, filepath.Join(c.cgroupDir("memory"), sub))
	}
	c.command("delete", "--force", c.id).must()
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// TestCgroupInUse: create refuses a cgroup that has processes.
func TestCgroupInUse(t *testing.T) {
	first := newContainer(t).running()
	c := anotherContainer(t, first)
	c.spec.Linux.CgroupsPath = first.cgroup
	c.tryCreate().fails("cgroup", "")
	first.status(specs.StateRunning)
	if got := cgroupPIDs(first); len(got) != 1 {
		t.Errorf("processes in the first one's cgroup: %v", got)
	}
}

// TestCgroupsPathForms: a relative or absent cgroupsPath leads to a cgroup below a default.
func TestCgroupsPathForms(t *testing.T) {
	for _, form := range []string{"relative", "absent"} {
		t.Run(form, func(t *testing.T) {
			c := newContainer(t)
			c.spec.Linux.CgroupsPath = ""
			if form == "relative" {
				c.spec.Linux.CgroupsPath = suite.token + "/" + c.id
			}
			c.running()
			if len(cgroupsOf(c.id)) == 0 {
				t.Error("no cgroup of that id")
			}
			c.command("delete", "--force", c.id).must()
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// TestCgroupsPathEscapes: a path with ".." stays below the root.
func TestCgroupsPathEscapes(t *testing.T) {
	c := newContainer(t)
	c.spec.Linux.CgroupsPath = "/../../" + suite.token + "/" + c.id
	c.run()
	if _, err := os.Stat("/sys/fs/" + suite.token); err == nil {
		t.Error("there is a directory outside of the hierarchy")
	}
}

func ptr[T any](v T) *T { return &v }

// TestLegacyResources reads the limits back from cgroup v1.
func TestLegacyResources(t *testing.T) {
	cases := []struct {
		name      string
		resources specs.LinuxResources
		// files has the expected content by controller/file.
		files map[string]string
	}{
		{"memory", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20)), Swap: ptr(int64(128 << 20)), Swappiness: ptr(uint64(7))}}, map[string]string{
			"memory/memory.limit_in_bytes": "67108864", "memory/memory.soft_limit_in_bytes": "33554432",
			"memory/memory.memsw.limit_in_bytes": "134217728", "memory/memory.swappiness": "7",
		}},
		{"memory without a limit", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}}, map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712",
		}},
		{"no OOM killer", specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}}, map[string]string{
			"memory/memory.oom_control": "oom_kill_disable 1\nunder_oom 0\noom_kill 0",
		}},
		{"cpu", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(333)), Quota: ptr(int64(40000)), Period: ptr(uint64(80000))}}, map[string]string{
			"cpu/cpu.shares": "333", "cpu/cpu.cfs_quota_us": "40000", "cpu/cpu.cfs_period_us": "80000",
		}},
		{"cpu quota without limit", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(-1))}}, map[string]string{
			"cpu/cpu.cfs_quota_us": "-1",
		}},
		{"cpu burst", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(40000)), Period: ptr(uint64(80000)), Burst: ptr(uint64(20000))}}, map[string]string{
			"cpu/cpu.cfs_burst_us": "20000",
		}},
		{"cpu idle", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr(int64(1))}}, map[string]string{"cpu/cpu.idle": "1"}},
		{"cpuset", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0", Mems: "0"}}, map[string]string{
			"cpuset/cpuset.cpus": "0", "cpuset/cpuset.mems": "0",
		}},
		{"pids", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(42))}}, map[string]string{"pids/pids.max": "42"}},
		{"pids without limit", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}, map[string]string{"pids/pids.max": "max"}},
		{"hugetlb", specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 8 << 20}}}, map[string]string{
			"hugetlb/hugetlb.2MB.limit_in_bytes": "8388608",
		}},
		{"unlimited by default", specs.LinuxResources{}, map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712", "pids/pids.max": "max", "cpu/cpu.shares": "1024", "cpu/cpu.cfs_quota_us": "-1",
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			only(t, !suite.unified, "cgroup v1")
			c.spec.Linux.Resources = &tc.resources
			for file := range tc.files {
				_, err := os.Stat(filepath.Join("/sys/fs/cgroup", filepath.Dir(file)))
				if err != nil && keptOnV2(t, filepath.Dir(file)) {
					c.createFails("linux.resources")
					t.Skipf("this machine keeps the controller of %s on cgroup v2", file)
				}
				require(t, err == nil, "a hierarchy for "+file)
			}
			c.create()
			for file, w := range tc.files {
				want(t, file, c.cgroupFile(filepath.Dir(file), filepath.Base(file)), w)
			}
			c.start().wait()
		})
	}
}

// TestThrottle needs a block device.
func TestThrottle(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	var st unix.Stat_t
	if err := unix.Stat("/dev/loop0", &st); err != nil {
		require(t, false, "/dev/loop0")
	}
	major, minor := int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	dev := func(rate uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = major, minor
		return []specs.LinuxThrottleDevice{d}
	}
	c.spec.Linux.Resources = &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: dev(1 << 20), ThrottleWriteBpsDevice: dev(2 << 20), ThrottleReadIOPSDevice: dev(300), ThrottleWriteIOPSDevice: dev(400),
	}}
	c.create()
	id := strconv.FormatInt(major, 10) + ":" + strconv.FormatInt(minor, 10) + " "
	for file, w := range map[string]string{
		"read_bps_device": "1048576", "write_bps_device": "2097152", "read_iops_device": "300", "write_iops_device": "400",
	} {
		want(t, file, c.cgroupFile("blkio", "blkio.throttle."+file), id+w)
	}
	c.start().wait()
}

func TestBadResources(t *testing.T) {
	cases := []struct {
		name, field string
		resources   specs.LinuxResources
	}{
		{"swap below limit", "linux.resources.memory", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(32 << 20))}}},
		{"no such cpu", "linux.resources.cpu", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "4000"}}},
		{"quota below a millisecond", "linux.resources.cpu", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(10)), Period: ptr(uint64(100000))}}},
		{"no such page size", "linux.resources.hugepageLimits", specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "3MB", Limit: 1}}}},
		{"unified on v1", "linux.resources.unified", specs.LinuxResources{Unified: map[string]string{"memory.max": "1000000"}}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			only(t, !suite.unified, "cgroup v1")
			c.spec.Linux.Resources = &tc.resources
			c.write()
			c.checkRefused("", "")
			if r := c.command("create", c.id); suite.name == "berth" && !strings.Contains(r.stderr, tc.field) {
				t.Errorf("stderr %q does not name %s", r.stderr, tc.field)
			}
		})
	}
}

// TestDeviceRules opens devices in the container that the rules allow and deny.
func TestDeviceRules(t *testing.T) {
	const readLoop = "(: </dev/loopx) 2>/dev/null && echo open || echo denied"
	loop := specs.LinuxDevice{Path: "/dev/loopx", Type: "b", Major: 7, Minor: 0}
	deny := specs.LinuxDeviceCgroup{Allow: false, Access: "rwm"}
	allow := func(major, minor *int64, typ, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: true, Type: typ, Major: major, Minor: minor, Access: access}
	}
	cases := []struct {
		name, script, want string
		rules              []specs.LinuxDeviceCgroup
	}{
		{"denied", readLoop, "denied", []specs.LinuxDeviceCgroup{deny}},
		{"allowed", readLoop, "open", []specs.LinuxDeviceCgroup{deny, allow(ptr(int64(7)), ptr(int64(0)), "b", "rwm")}},
		{"read only", readLoop + "; (: <>/dev/loopx) 2>/dev/null && echo open || echo denied", "open\ndenied", []specs.LinuxDeviceCgroup{deny, allow(ptr(int64(7)), ptr(int64(0)), "b", "r")}},
		{"another minor", readLoop, "denied", []specs.LinuxDeviceCgroup{deny, allow(ptr(int64(7)), ptr(int64(1)), "b", "rwm")}},
		{"any minor", readLoop, "open", []specs.LinuxDeviceCgroup{deny, allow(ptr(int64(7)), nil, "b", "rwm")}},
		{"another type", readLoop, "denied", []specs.LinuxDeviceCgroup{deny, allow(ptr(int64(7)), ptr(int64(0)), "c", "rwm")}},
		{"all", readLoop, "open", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}},
		{"taken back", readLoop, "denied", []specs.LinuxDeviceCgroup{
			deny, allow(ptr(int64(7)), ptr(int64(0)), "b", "rwm"), {Allow: false, Type: "b", Major: ptr(int64(7)), Minor: ptr(int64(0)), Access: "rwm"},
		}},
		{"mknod is always allowed", "mknod /tmp/n b 7 5 && echo made; mknod /tmp/m c 99 5 && echo made", "made\nmade", []specs.LinuxDeviceCgroup{deny}},
		{"the default devices", "echo x >/dev/null && head -c1 /dev/zero | wc -c; : </dev/urandom; : <>/dev/full; : </dev/random; echo done", "1\ndone", []specs.LinuxDeviceCgroup{deny}},
		{"ptmx", "(: <>/dev/ptmx) 2>/dev/null && echo open", "open", []specs.LinuxDeviceCgroup{deny}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).sh(tc.script)
			c.spec.Linux.Devices = []specs.LinuxDevice{loop}
			c.spec.Linux.Resources = &specs.LinuxResources{Devices: tc.rules}
			want(t, "output", c.output(), tc.want)
		})
	}
}

// TestNoDeviceRules: without rules, only the default devices can be used.
func TestNoDeviceRules(t *testing.T) {
	c := newContainer(t).sh("(: </dev/loopx) 2>/dev/null && echo open || echo denied; echo x >/dev/null && echo null")
	c.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/loopx", Type: "b", Major: 7, Minor: 0}}
	want(t, "output", c.output(), "denied\nnull")
}

// TestLegacyDeviceList: the rules are in the device list in the order of the config.
func TestLegacyDeviceList(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	c.spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "rwm"},
		{Allow: true, Type: "b", Major: ptr(int64(8)), Minor: ptr(int64(20)), Access: "rw"},
	}}
	c.create()
	lines := strings.Split(c.cgroupFile("devices", "devices.list"), "\n")
	if len(lines) < 2 || lines[0] != "c 10:229 rwm" || lines[1] != "b 8:20 rw" {
		t.Errorf("list %q", lines)
	}
	c.start().wait()
}

// TestTinyMemory: a container can start with less memory than a Go program needs.
func TestTinyMemory(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	only(t, suite.kind == "busybox", "a small program")
	c.args("/bin/true")
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 20))}}
	c.run().must()
}

// TestPidsLimitZero: 0 is a limit like others.
func TestPidsLimitZero(t *testing.T) {
	c := newContainer(t)
	needController(t, "pids")
	c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}
	c.create()
	want(t, "limit", c.cgroupFile("pids", "pids.max"), "0")
	c.start().wait()
}

// TestPidsLimitHolds: the limit counts only the container's processes, from the first one on.
func TestPidsLimitHolds(t *testing.T) {
	c := newContainer(t).sh("(true) && echo forked || echo refused")
	only(t, !suite.unified, "cgroup v1")
	c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(1))}}
	if out := c.run().out; strings.Contains(out, "forked") {
		t.Errorf("printed %q", out)
	}
}

// TestOutOfMemory: the kernel kills the process, and run reports it.
func TestOutOfMemory(t *testing.T) {
	c := newContainer(t).sh("exec tail /dev/zero")
	only(t, !suite.unified, "cgroup v1")
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}
	c.run().code(128 + 9)
}
