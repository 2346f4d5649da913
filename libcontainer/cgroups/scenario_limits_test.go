// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func rule(allow bool, kind byte, major, minor int64, access string) configs.DeviceRule {
	return configs.DeviceRule{
		Allow: allow, Type: kind, Major: major, Minor: minor,
		Read: strings.Contains(access, "r"), Write: strings.Contains(access, "w"), Mknod: strings.Contains(access, "m"),
	}
}

func testDevices(t *testing.T) {
	const all = configs.DeviceWildcard
	m := create(t, plan(unique(t)))
	for _, c := range []struct {
		rules []configs.DeviceRule
		want  string
	}{
		{[]configs.DeviceRule{rule(false, 'a', all, all, "rwm"), rule(true, 'c', 1, 3, "rw"), rule(true, 'c', 1, 5, "r")}, "null:rw zero:r"},
		{[]configs.DeviceRule{rule(true, 'a', all, all, "rwm"), rule(false, 'c', 1, 3, "w")}, "null:r zero:rw"},
		{[]configs.DeviceRule{rule(true, 'a', all, all, "rwm"), rule(true, 'c', 1, 3, "w")}, "null:rw zero:rw"},
		{[]configs.DeviceRule{rule(true, 'c', 1, all, "rw"), rule(false, 'c', 1, 3, "rwm"), rule(true, 'c', 1, all, "r"), rule(false, 'c', 1, all, "w")}, "null:r zero:r"},
		{nil, "null: zero:"},
		{[]configs.DeviceRule{rule(true, 'a', all, all, "rwm")}, "null:rw zero:rw"},
	} {
		if err := m.SetDevices(c.rules); err != nil {
			t.Errorf("%+v: %v", c.rules, err)
			continue
		}
		if got := access(t, m); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.rules, got, c.want)
		}
	}
}

// access reports what a process in the cgroup may do with two devices.
func access(t *testing.T, m Manager) string {
	t.Helper()
	p, err := m.Placement()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const script = `read go
for d in null zero; do
	printf %s $d:
	{ true </dev/$d; } 2>&- && printf r
	{ true >/dev/$d; } 2>&- && printf w
	test $d = null && printf ' '
done; true`
	cmd := exec.Command("sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if p.Dir != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(p.Dir.Fd())}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Tasks {
		if _, err := f.WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func num[T any](n T) *T { return &n }

// testLimits is about the order of writes, which only the kernel can check.
func testLimits(t *testing.T, mode Mode) {
	if mode == Unified {
		t.Skip("requires controllers on cgroup v1")
	}
	m := create(t, plan(unique(t)))
	paths := m.Paths()
	check := func(controller, file, want string) {
		t.Helper()
		if d := paths[controller]; d != "" {
			if got, err := cgroupfs.Dir(d).Read(file); err != nil || got != want {
				t.Errorf("%s is %s, want %s (%v)", file, got, want, err)
			}
		}
	}
	set := func(r *specs.LinuxResources) {
		t.Helper()
		if err := m.Set(r); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		limit, swap         int64
		wantLimit, wantSwap string
	}{
		{16 << 20, 32 << 20, "16777216", "33554432"},
		{64 << 20, 64 << 20, "67108864", "67108864"},
		{8 << 20, 8 << 20, "8388608", "8388608"},
		{-1, 0, "9223372036854771712", "9223372036854771712"},
		{8 << 20, 16 << 20, "8388608", "16777216"},
		{32 << 20, -1, "33554432", "9223372036854771712"},
	} {
		if paths["memory"] == "" {
			break
		}
		set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &c.limit, Swap: &c.swap}})
		check("memory", "memory.limit_in_bytes", c.wantLimit)
		if _, err := cgroupfs.Dir(paths["memory"]).Read("memory.memsw.limit_in_bytes"); err == nil {
			check("memory", "memory.memsw.limit_in_bytes", c.wantSwap)
		}
	}
	for _, c := range []struct {
		quota         int64
		period, burst uint64
	}{{50000, 100000, 40000}, {1000, 5000, 0}, {90000, 100000, 90000}, {10000, 20000, 5000}} {
		if paths["cpu"] == "" {
			break
		}
		set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &c.quota, Period: &c.period, Burst: &c.burst}})
		check("cpu", "cpu.cfs_quota_us", strconv.FormatInt(c.quota, 10))
		check("cpu", "cpu.cfs_period_us", strconv.FormatUint(c.period, 10))
		check("cpu", "cpu.cfs_burst_us", strconv.FormatUint(c.burst, 10))
	}
	for _, idle := range []int64{1, 0} {
		set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: num(uint64(300)), Idle: &idle}})
		check("cpu", "cpu.idle", strconv.FormatInt(idle, 10))
	}
	check("cpu", "cpu.shares", "300")
	set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: num(int64(0))}})
	check("pids", "pids.max", "0")
	if paths["memory"] != "" {
		err := m.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: num(int64(-7))}})
		if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.memory.limit: write memory.limit_in_bytes: invalid argument") {
			t.Errorf("got %v", err)
		}
	}
	if paths["cpuset"] != "" {
		err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "x"}})
		if err == nil || err.Error() != "linux.resources.cpu.cpus: write cpuset.cpus: invalid argument" {
			t.Errorf("got %v", err)
		}
	}
}
