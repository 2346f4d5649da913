// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sleeping starts the container with a process that only sleeps and never forks, which some
// policies forbid.
func (c *container) sleeping() *container {
	c.t.Helper()
	return c.args("sleep", "1000").create().start()
}

// realtimeGroups allows real-time processes in the container's cgroup on kernels with
// CONFIG_RT_GROUP_SCHED, where a new v1 cgroup has no real-time budget.
func realtimeGroups(c *container) {
	c.t.Helper()
	parent := filepath.Join("/sys/fs/cgroup/cpu", filepath.Dir(c.cgroup))
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"); suite.unified || err != nil {
		return
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(parent, "cpu.rt_runtime_us"), []byte("100000"), 0); err != nil {
		c.t.Fatal(err)
	}
	// Use little of the budget: a removed cgroup keeps its share until the kernel has released
	// it, and these tests follow each other quickly.
	runtime := int64(1000)
	c.spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: &runtime}}
}

func TestScheduler(t *testing.T) {
	const ms = 1_000_000
	// Ordinary users cannot have a lower nice value than their own.
	nice := max(7, ownNice(t))
	for _, tc := range []struct {
		name      string
		scheduler specs.Scheduler
		want      unix.SchedAttr
	}{
		{"other", specs.Scheduler{Policy: specs.SchedOther, Nice: nice}, unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: nice}},
		{"raised", specs.Scheduler{Policy: specs.SchedOther, Nice: -5}, unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: -5}},
		{"batch", specs.Scheduler{Policy: specs.SchedBatch, Nice: 19}, unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 19}},
		// The kernel keeps the nice value for the time when the policy uses it again.
		{"idle", specs.Scheduler{Policy: specs.SchedIdle}, unix.SchedAttr{Policy: unix.SCHED_IDLE, Nice: ownNice(t)}},
		{"fifo", specs.Scheduler{Policy: specs.SchedFIFO, Priority: 12}, unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 12}},
		{
			"rr with a flag",
			specs.Scheduler{Policy: specs.SchedRR, Priority: 99, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}},
			unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 99, Flags: unix.SCHED_FLAG_RESET_ON_FORK},
		},
		{
			"deadline",
			specs.Scheduler{
				Policy: specs.SchedDeadline, Runtime: 1 * ms, Deadline: 20 * ms, Period: 40 * ms,
				Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagReclaim},
			},
			unix.SchedAttr{Policy: unix.SCHED_DEADLINE, Runtime: 1 * ms, Deadline: 20 * ms, Period: 40 * ms, Flags: unix.SCHED_FLAG_RECLAIM},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			c.spec.Process.Scheduler = &tc.scheduler
			// These ids and capabilities do not permit any of it.
			c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
			realtimeGroups(c)
			c.sleeping()
			got, err := unix.SchedGetAttr(c.pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			// The kernel itself sets a time slice and the utilization clamps.
			got.Size, got.Util_min, got.Util_max = 0, 0, 0
			if tc.scheduler.Policy != specs.SchedDeadline {
				got.Runtime, got.Deadline, got.Period = 0, 0, 0
			}
			if tc.scheduler.Policy == specs.SchedFIFO || tc.scheduler.Policy == specs.SchedRR || tc.scheduler.Policy == specs.SchedDeadline {
				got.Nice = 0
			}
			if *got != tc.want {
				t.Errorf("attributes %+v, want %+v", *got, tc.want)
			}
		})
	}
}

// ownNice returns the nice value that all processes of the tests start with.
func ownNice(t *testing.T) int32 {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return attr.Nice
}

// TestSchedulerRefused: if the kernel refuses the settings, the error names the field.
func TestSchedulerRefused(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1, Deadline: 1 << 20, Period: 1 << 20}
	c.run().fails("process.scheduler: error setting scheduler: sched_setattr: invalid argument", "")
}

func TestIOPriority(t *testing.T) {
	for _, tc := range []struct {
		class specs.IOPriorityClass
		level int
		want  uintptr
	}{
		{specs.IOPRIO_CLASS_RT, 3, 1<<13 | 3},
		{specs.IOPRIO_CLASS_BE, 7, 2<<13 | 7},
		{specs.IOPRIO_CLASS_IDLE, 0, 3 << 13},
	} {
		t.Run(string(tc.class), func(t *testing.T) {
			c := newContainer(t)
			c.spec.Process.IOPriority = &specs.LinuxIOPriority{Class: tc.class, Priority: tc.level}
			c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
			c.sleeping()
			const whoProcess = 1
			got, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, whoProcess, uintptr(c.pid), 0)
			if errno != 0 || got != tc.want {
				t.Errorf("I/O priority %#x (%v), want %#x", got, errno, tc.want)
			}
		})
	}
}

func TestPersonality(t *testing.T) {
	for _, tc := range []struct {
		domain specs.LinuxPersonalityDomain
		want   string
	}{{specs.PerLinux, "00000000"}, {specs.PerLinux32, "00000008"}} {
		t.Run(string(tc.domain), func(t *testing.T) {
			c := newContainer(t).args("cat", "/proc/self/personality")
			c.spec.Linux.Personality = &specs.LinuxPersonality{Domain: tc.domain}
			want(t, "personality", c.output(), tc.want)
		})
	}
}

// TestExecPersonality: processes that exec adds have the container's personality.
func TestExecPersonality(t *testing.T) {
	c := newContainer(t)
	c.spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	c.running()
	want(t, "personality", c.execOut(c.id, "cat", "/proc/self/personality"), "00000008")
}

// TestPersonalityFlags: no flags are defined yet, so they only cause a warning.
func TestPersonalityFlags(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/self/personality")
	c.spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32, Flags: []specs.LinuxPersonalityFlag{"NO_SUCH"}}
	r := c.run().must()
	want(t, "personality", r.out, "00000008\n")
	if !strings.Contains(r.stderr, "NO_SUCH") {
		t.Errorf("no warning in %q", r.stderr)
	}
}

func TestMemoryPolicy(t *testing.T) {
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		require(t, false, "NUMA in the kernel")
	}
	for _, tc := range []struct {
		policy specs.LinuxMemoryPolicy
		want   string
	}{
		{specs.LinuxMemoryPolicy{Mode: specs.MpolDefault}, "default"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolLocal}, "local"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0"}, "bind:0"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolInterleave, Nodes: "0"}, "interleave:0"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolPreferred, Nodes: "0"}, "prefer:0"},
		{
			specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}},
			"bind=static:0",
		},
		{
			specs.LinuxMemoryPolicy{Mode: specs.MpolPreferredMany, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFRelativeNodes}},
			"prefer (many)=relative:0",
		},
	} {
		t.Run(tc.want, func(t *testing.T) {
			c := newContainer(t).args("grep", "stack", "/proc/self/numa_maps")
			c.spec.Linux.MemoryPolicy = &tc.policy
			if out := c.output(); !strings.Contains(out, " "+tc.want+" ") {
				t.Errorf("policy in %q, want %s", out, tc.want)
			}
		})
	}
}

// TestMemoryPolicyRefused: a node that no machine has.
func TestMemoryPolicyRefused(t *testing.T) {
	c := newContainer(t)
	c.spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "1023"}
	c.run().fails("linux.memoryPolicy: set_mempolicy: ", "")
}

// TestAffinityOfCaller: a container may use CPUs that its engine may not use.
func TestAffinityOfCaller(t *testing.T) {
	mask := ownCPUs(t)
	require(t, mask != "0", "two CPUs")
	c := newContainer(t).args("grep", "Cpus_allowed_list", "/proc/self/status")
	want(t, "CPUs", c.outputFromCPU0(), mask)
}

// TestAffinityOfCgroup: the CPUs are those of the cgroup, whatever the caller's are.
func TestAffinityOfCgroup(t *testing.T) {
	if suite.unified {
		controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
		only(t, err == nil && strings.Contains(string(controllers), "cpuset"), "a host with the cpuset controller on cgroup v2")
	}
	require(t, ownCPUs(t) != "0", "two CPUs")
	c := newContainer(t).args("grep", "Cpus_allowed_list", "/proc/self/status")
	c.spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "1", Mems: "0"}}
	want(t, "CPUs", c.outputFromCPU0(), "1")
}

// ownCPUs returns the list of CPUs on which the test may run.
func ownCPUs(t *testing.T) string {
	t.Helper()
	all, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	t.Fatal("no Cpus_allowed_list")
	return ""
}

// outputFromCPU0 runs the container from a process that may only use CPU 0. The container prints
// its own list of CPUs.
func (c *container) outputFromCPU0() string {
	c.t.Helper()
	c.write()
	r := c.shell(`exec taskset -c 0 "$@"`, suite.runtime, "--root", c.state, "run", c.id).must()
	return strings.TrimSpace(strings.TrimPrefix(r.out, "Cpus_allowed_list:"))
}

// TestExecAffinityIsNotInits: process.execCPUAffinity only applies to processes that exec adds.
func TestExecAffinityIsNotInits(t *testing.T) {
	c := newContainer(t).args("grep", "Cpus_allowed_list", "/proc/self/status")
	wide := c.output()
	c.spec.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "0"}
	want(t, "CPUs", c.output(), wide)
}

// TestPrioritiesInUserNamespace: the root of a user namespace is not permitted to set them
// itself.
func TestPrioritiesInUserNamespace(t *testing.T) {
	c := newContainer(t)
	c.namespace(specs.UserNamespace, "")
	c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
	c.spec.Linux.GIDMappings = c.spec.Linux.UIDMappings
	c.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: -3}
	c.spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT, Priority: 1}
	c.sleeping()
	attr, err := unix.SchedGetAttr(c.pid, 0)
	if err != nil || attr.Nice != -3 {
		t.Errorf("attributes %+v, %v", attr, err)
	}
	const whoProcess = 1
	if got, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, whoProcess, uintptr(c.pid), 0); got != 1<<13|1 {
		t.Errorf("I/O priority %#x (%v)", got, errno)
	}
}
