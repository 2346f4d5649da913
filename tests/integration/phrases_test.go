// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestPhrases: errors that only occur with a real container contain runc's words. For errors in
// config.json, see specconv's TestPhrases.
func TestPhrases(t *testing.T) {
	fails := []specs.Hook{{Path: "/bin/false"}}
	hooks := func(h specs.Hooks) func(*container) { return func(c *container) { c.spec.Hooks = &h } }
	seccomp := func(s specs.LinuxSeccomp) func(*container) {
		return func(c *container) { c.spec.Linux.Seccomp = &s }
	}
	rule := specs.LinuxSyscall{Names: []string{"mkdir"}, Action: specs.ActErrno}
	withArg := func(a specs.LinuxSeccompArg) specs.LinuxSeccomp {
		r := rule
		r.Args = []specs.LinuxSeccompArg{a}
		return specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{r}}
	}
	notify := specs.LinuxSyscall{Names: []string{"mkdir"}, Action: specs.ActNotify}
	second := 1
	for _, tt := range []struct {
		phrase  string
		mistake func(*container)
	}{
		{"error running prestart hook #0: ", hooks(specs.Hooks{Prestart: fails})},
		{"error running createRuntime hook #0: ", hooks(specs.Hooks{CreateRuntime: fails})},
		{"error running createContainer hook #0: ", hooks(specs.Hooks{CreateContainer: fails})},
		{"error running startContainer hook", hooks(specs.Hooks{StartContainer: fails})},
		{"hook ran past specified timeout of 1.0s", hooks(specs.Hooks{CreateRuntime: []specs.Hook{{
			Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: &second,
		}}})},
		{"hook ran past specified timeout of 1.0s", hooks(specs.Hooks{StartContainer: []specs.Hook{{
			Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: &second,
		}}})},
		{`error mounting "tmpfs" to rootfs at "/tmp"`, func(c *container) { c.mount("/tmp", "tmpfs", "tmpfs", "fooo") }},
		{"failed to fulfil mount request: open /no/such", func(c *container) { c.mount("/tmp", "bind", "/no/such", "bind") }},
		{"cannot be mounted because it is inside /proc", func(c *container) { c.mount("/proc/sys", "tmpfs", "tmpfs") }},
		{"cannot be mounted because it is not of type proc", func(c *container) { c.mount("/proc", "tmpfs", "tmpfs") }},
		{"string X is not a valid action for seccomp", seccomp(specs.LinuxSeccomp{DefaultAction: "X"})},
		{"string X is not a valid arch for seccomp", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{"X"}})},
		{"string X is not a valid operator for seccomp", seccomp(withArg(specs.LinuxSeccompArg{Op: "X"}))},
		{"syscalls only have up to 6 arguments (9 given)", seccomp(withArg(specs.LinuxSeccompArg{Index: 9, Op: specs.OpEqualTo}))},
		{"seccomp flag X is not known", seccomp(specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"X"}, Syscalls: []specs.LinuxSyscall{rule},
		})},
		{"seccomp listenerPath is not set", seccomp(specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{notify},
		})},
		{"failed to connect with seccomp agent specified in the seccomp profile", seccomp(specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: "/no/such", Syscalls: []specs.LinuxSyscall{notify},
		})},
		{"unable to start container process: error during container init: exec: ", func(c *container) { c.args("no-such-program") }},
		{"namespace path: lstat /no/such", func(c *container) { c.namespace(specs.NetworkNamespace, "/no/such") }},
		{`failed to write sysctl net.ipv4.no_such = "1"`, func(c *container) { c.spec.Linux.Sysctl = map[string]string{"net.ipv4.no_such": "1"} }},
		{`filesystem "proc" must be mounted on ordinary directory`, func(c *container) {
			if err := os.Remove(c.rootfs("proc")); err != nil {
				c.t.Fatal(err)
			}
			c.link("tmp", c.rootfs("proc"))
		}},
		{"Intel RDT/CAT is not enabled", func(c *container) {
			_, err := os.Stat("/sys/fs/resctrl/schemata")
			only(c.t, err != nil, "a host without resctrl")
			c.spec.Linux.IntelRdt = &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"}
		}},
		{"can't apply capabilities", func(c *container) {
			c.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}}
		}},
	} {
		t.Run(tt.phrase, func(t *testing.T) {
			c := newContainer(t).args("true")
			tt.mistake(c)
			c.run().fails(tt.phrase, "")
		})
	}
}

// TestPhrasesOfLimits: the same for errors of limits, which depend on the version of cgroups.
func TestPhrasesOfLimits(t *testing.T) {
	shares, low, none := uint64(1), int64(-5), uint64(1<<18+1)
	for _, tt := range []struct {
		phrase    string
		unified   bool
		resources specs.LinuxResources
	}{
		{"error setting cgroup config for procHooks process: ", false, specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &low}}},
		{"the minimum allowed cpu-shares is 2", false, specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &shares}}},
		{"the maximum allowed cpu-shares is 262144", false, specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &none}}},
		{"invalid configuration: cannot use unified on cgroup v1", false, specs.LinuxResources{Unified: map[string]string{"memory.max": "1"}}},
		{`unified resource "nope.max" can't be set: controller "nope" not available`, true, specs.LinuxResources{Unified: map[string]string{"nope.max": "1"}}},
		{"error setting cgroup config for procHooks process: ", true, specs.LinuxResources{Unified: map[string]string{"nope.max": "1"}}},
	} {
		t.Run(fmt.Sprintf("%s/unified=%v", tt.phrase, tt.unified), func(t *testing.T) {
			only(t, tt.unified == suite.unified && suite.users.haveCgroups(), "the version of cgroups in this row")
			c := newContainer(t).args("true")
			c.spec.Linux.Resources = &tt.resources
			c.run().fails(tt.phrase, "")
		})
	}
}

// TestPhraseOfSchedulerAndCPUs: SCHED_DEADLINE needs a process that may run on every CPU.
func TestPhraseOfSchedulerAndCPUs(t *testing.T) {
	only(t, !suite.unified && suite.users.name == "root", "callers with cpusets that may use SCHED_DEADLINE")
	require(t, runtime.NumCPU() > 1, "two CPUs")
	c := newContainer(t).args("true")
	c.spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}}
	c.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1e6, Deadline: 1e7, Period: 1e7}
	c.run().fails("process scheduler can't be used together with AllowedCPUs", "")
}

// TestPhraseOfCgroup: a cgroup that cannot be created.
func TestPhraseOfCgroup(t *testing.T) {
	only(t, suite.users.name == "root", "root, who always has cgroups")
	c := newContainer(t).args("true")
	c.spec.Linux.CgroupsPath = "/cgroup.procs/x"
	c.run().fails("unable to apply cgroup configuration", "")
}

// TestPhrasesOfCommands: the same for mistakes on the command line.
func TestPhrasesOfCommands(t *testing.T) {
	c := newContainer(t).running()
	for _, tt := range []struct {
		phrase string
		args   []string
	}{
		{"container id cannot be empty", []string{"create", ""}},
		{"Option --root argument should not be set to /", []string{"--root", "/", "list"}},
		{"unable to stat preserved-fd", []string{"exec", "--preserve-fds", "7", c.id, "true"}},
		{"File config.json exists. Remove it first", []string{"spec", "--bundle", c.dir}},
		{"bad sub cgroup path", []string{"exec", "--cgroup", "/../..", c.id, "true"}},
		{"unknown controller", []string{"exec", "--cgroup", "foo:/", c.id, "true"}},
		{"pid file: ", []string{"exec", "--pid-file", c.path("no/such"), c.id, "true"}},
	} {
		c.command(tt.args...).fails(tt.phrase, "")
	}
}

// TestConfigOption: --config names another file, relative to the caller's directory.
func TestConfigOption(t *testing.T) {
	c := newContainer(t).args("echo", "other")
	c.write()
	other := c.path("other.json")
	if err := os.Rename(c.path("config.json"), other); err != nil {
		t.Fatal(err)
	}
	if r := c.command("run", "--bundle", c.dir, "--config", other, c.id).must(); r.out != "other\n" {
		t.Errorf("printed %q", r.out)
	}
	c.command("run", "--bundle", c.dir, "-f", c.path("none.json"), c.id).fails("none.json", "")
}
