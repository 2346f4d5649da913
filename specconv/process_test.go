// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestProcessErrors(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(*specs.Process)
	}{
		{`process.args: args must not be empty`, func(p *specs.Process) { p.Args = nil }},
		{`process.args[1]: must not contain a NUL byte: "a\x00"`, func(p *specs.Process) { p.Args = []string{"sh", "a\x00"} }},
		{`process.cwd: Cwd must be an absolute path: "foo"`, func(p *specs.Process) { p.Cwd = "foo" }},
		{`process.cwd: Cwd property must not be empty`, func(p *specs.Process) { p.Cwd = "" }},
		{`process.cwd: must not contain a NUL byte: "/\x00"`, func(p *specs.Process) { p.Cwd = "/\x00" }},
		{`process.env[2]: invalid environment variable: missing '=': "C"`, func(p *specs.Process) { p.Env = []string{"A=1", "B=", "C"} }},
		{`process.env[0]: invalid environment variable: name cannot be empty: "=x"`, func(p *specs.Process) { p.Env = []string{"=x"} }},
		{`process.env[1]: must not contain a NUL byte: "A=\x00"`, func(p *specs.Process) { p.Env = []string{"B=", "A=\x00"} }},
		{`process.consoleSize: more than a terminal can have: 65536x1`, func(p *specs.Process) { p.ConsoleSize = &specs.Box{Width: 65536, Height: 1} }},
		{`process.user.uid: not a user id: 4294967295`, func(p *specs.Process) { p.User.UID = math.MaxUint32 }},
		{`process.user.gid: not a group id: 4294967295`, func(p *specs.Process) { p.User.GID = math.MaxUint32 }},
		{`process.user.additionalGids[1]: not a group id: 4294967295`, func(p *specs.Process) { p.User.AdditionalGids = []uint32{0, math.MaxUint32} }},
		{`process.user.umask: more than permission bits: 01000`, func(p *specs.Process) { p.User.Umask = ptr(uint32(0o1000)) }},
		{"process.rlimits[0].type: wrong rlimit value: RLIMIT_FOO: unknown rlimit type", func(p *specs.Process) { p.Rlimits[0].Type = "RLIMIT_FOO" }},
		{`process.rlimits[1].type: duplicate rlimit type "RLIMIT_NOFILE"`, func(p *specs.Process) { p.Rlimits = append(p.Rlimits, p.Rlimits[0]) }},
		{`process.rlimits[0].soft: the soft limit 2 is above the hard limit 1 of RLIMIT_CORE (error setting rlimits for ready process: error setting rlimit type 4)`, func(p *specs.Process) {
			p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}
		}},
		{`process.oomScoreAdj: must be between -1000 and 1000: 1001`, func(p *specs.Process) { p.OOMScoreAdj = ptr(1001) }},
		{`process.oomScoreAdj: must be between -1000 and 1000: -1001`, func(p *specs.Process) { p.OOMScoreAdj = ptr(-1001) }},
		{`process.apparmorProfile: must not contain a NUL byte: "\x00"`, func(p *specs.Process) { p.ApparmorProfile = "\x00" }},
		{`process.selinuxLabel: must not contain a NUL byte: "\x00"`, func(p *specs.Process) { p.SelinuxLabel = "\x00" }},
		{"process.scheduler.policy: scheduler policy is required", func(p *specs.Process) { p.Scheduler = &specs.Scheduler{} }},
		{"process.scheduler.nice: invalid scheduler.nice: 20, must be between -20 and 19", func(p *specs.Process) { p.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: 20} }},
		{`process.scheduler.runtime: error setting scheduler: must be at most the deadline 20: 30`, func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 30, Deadline: 20, Period: 40}
		}},
		{`process.scheduler.deadline: error setting scheduler: must be at most the period 10: 20`, func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 10, Deadline: 20, Period: 10}
		}},
		{`process.scheduler.runtime: error setting scheduler: must not be 0 with SCHED_DEADLINE`, func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Deadline: 20}
		}},
		{`process.scheduler.deadline: error setting scheduler: must not be 0 with SCHED_DEADLINE`, func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 20}
		}},
		{"process.scheduler.priority: scheduler.priority can only be specified for SchedFIFO or SchedRR policy, not for SCHED_OTHER", func(p *specs.Process) { p.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Priority: 1} }},
		{"process.scheduler.priority: error setting scheduler: must be between 1 and 99: 0", func(p *specs.Process) { p.Scheduler = &specs.Scheduler{Policy: specs.SchedRR} }},
		{"process.scheduler: scheduler runtime/deadline/period can only be specified for SchedDeadline policy, not for SCHED_BATCH", func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Runtime: 1}
		}},
		{"process.scheduler.flags[1]: invalid scheduler flag: X: unknown flag", func(p *specs.Process) {
			p.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagReclaim, "X"}}
		}},
		{`process.ioPriority.class: invalid ioPriority.Class: "X"`, func(p *specs.Process) { p.IOPriority = &specs.LinuxIOPriority{Class: "X"} }},
		{"process.ioPriority.priority: invalid ioPriority.Priority: 8, must be between 0 and 7", func(p *specs.Process) {
			p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT, Priority: 8}
		}},
		{`process.execCPUAffinity.final: bad CPUAffinity.Final: "x" is not a number or range, want a list like 0-3,7`, func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "1,x"} }},
		{"process.execCPUAffinity.initial: bad CPUAffinity.Initial: number 65536 is above 65535", func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "65536"} }},
	} {
		s := example()
		tt.change(s.Process)
		wantError(t, s, &newBundle(t).Options, tt.want)
	}
	if _, err := ConvertProcess(nil, "process", &Options{}); err == nil || err.Error() != "process: process property must not be empty" {
		t.Errorf("no process: %v", err)
	}
}

func TestProcess(t *testing.T) {
	p := &specs.Process{
		Terminal: true, ConsoleSize: &specs.Box{Width: 80, Height: 24},
		User: specs.User{UID: 1, GID: 2, AdditionalGids: []uint32{3}},
		Args: []string{"sh", ""}, Env: []string{"A=1", "B=b=b", "A=2"}, Cwd: "/a/../b/",
		NoNewPrivileges: true, OOMScoreAdj: ptr(-5), ApparmorProfile: "aa", SelinuxLabel: "se",
		Capabilities: &specs.LinuxCapabilities{
			Bounding:  []string{"CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_NEW", "chown"},
			Effective: []string{"CAP_NEW"}, Permitted: []string{"CAP_CHOWN", "CAP_KILL"},
			Inheritable: []string{"CAP_KILL"}, Ambient: []string{"CAP_CHOWN", "CAP_KILL"},
		},
		Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_AS", Soft: 1, Hard: math.MaxUint64}},
		Scheduler:       &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1, Deadline: 2, Period: 3, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagReclaim, specs.SchedFlagDLOverrun}},
		IOPriority:      &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE, Priority: 7},
		ExecCPUAffinity: &specs.CPUAffinity{Initial: "0-1, 64"},
	}
	want := &configs.Process{
		Terminal: true, ConsoleSize: p.ConsoleSize, UID: 1, GID: 2, AdditionalGIDs: []uint32{3}, Umask: 0o22,
		Args: []string{"sh", ""}, Env: []string{"B=b=b", "A=2"}, Cwd: "/b",
		NoNewPrivileges: true, OOMScoreAdj: p.OOMScoreAdj, AppArmorProfile: "aa", SELinuxLabel: "se",
		Capabilities:    configs.Capabilities{Bounding: 1<<unix.CAP_CHOWN | 1<<40, Permitted: 1<<unix.CAP_CHOWN | 1<<unix.CAP_KILL, Inheritable: 1 << unix.CAP_KILL, Ambient: 1 << unix.CAP_KILL},
		Rlimits:         []configs.Rlimit{{Name: "RLIMIT_AS", Resource: unix.RLIMIT_AS, Soft: 1, Hard: math.MaxUint64}},
		Scheduler:       &configs.Scheduler{Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RECLAIM | unix.SCHED_FLAG_DL_OVERRUN, Runtime: 1, Deadline: 2, Period: 3},
		IOPriority:      &configs.IOPriority{Class: 3, Level: 7},
		ExecCPUAffinity: &configs.CPUAffinity{Initial: configs.BitSet{0b11, 1}},
	}
	r := newBundle(t)
	got, err := ConvertProcess(p, "process", &r.Options)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	wantWarnings := []string{
		`process.capabilities: ignoring unknown or unavailable capabilities: ["CAP_NEW" "chown"]`,
		`process.capabilities.ambient: can't raise ambient capability CAP_CHOWN: ignored, because not both permitted and inheritable`,
	}
	if !reflect.DeepEqual(r.warnings, wantWarnings) {
		t.Errorf("warnings %q", r.warnings)
	}
}

func TestConsoleSize(t *testing.T) {
	for _, tt := range []struct {
		terminal bool
		size     *specs.Box
		kept     bool
	}{{true, &specs.Box{Width: 1}, true}, {true, &specs.Box{}, false}, {false, &specs.Box{Width: 1}, false}, {true, nil, false}} {
		p := &specs.Process{Terminal: tt.terminal, ConsoleSize: tt.size, Cwd: "/", Args: []string{"x"}, User: specs.User{Umask: ptr(uint32(0))}}
		got, err := ConvertProcess(p, "process", &Options{})
		if err != nil || (got.ConsoleSize != nil) != tt.kept || got.Umask != 0 {
			t.Errorf("%+v: %+v, %v", tt, got, err)
		}
	}
}

func TestKnownCapabilities(t *testing.T) {
	names := KnownCapabilities()
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names, the kernel headers have %d", len(names), unix.CAP_LAST_CAP+1)
	}
	if !slices.IsSorted(names) || slices.Contains(names, "") || len(slices.Compact(names)) != unix.CAP_LAST_CAP+1 {
		t.Errorf("names are not sorted, unique and complete: %q", names)
	}
	for n, name := range rlimitNames {
		if !strings.HasPrefix(name, "RLIMIT_") {
			t.Errorf("limit %d has the name %q", n, name)
		}
	}
}

func FuzzNumberList(f *testing.F) {
	for _, s := range []string{"", "0", "0-3,7", " 1 , 2", "3-1", "-1", "1-", "65535", "4294967296", "1,,2", "0-65535"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		set, err := numberList("f", list, "bad")
		if err != nil || set == nil {
			return
		}
		// Formatted and parsed again it is the same set.
		var parts []string
		for n := range len(set) * 64 {
			if set.Has(n) {
				parts = append(parts, strconv.Itoa(n))
			}
		}
		again, err := numberList("f", strings.Join(parts, ","), "bad")
		if err != nil || !slices.Equal(set, again) {
			t.Errorf("%q: %v, again %v, %v", list, set, again, err)
		}
	})
}
