// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

func TestUser(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := shell(t, "id -u; id -g; id -G; umask")
	p.UID, p.GID, p.Groups, p.Umask = 1000, 1001, []uint32{5, 4000000000}, 0o27
	if out := run(t, nil, p); out != "1000\n1001\n1001 5 4000000000\n0027" {
		t.Errorf("output %q", out)
	}
	p.Groups = nil
	if out := run(t, nil, p); out != "1000\n1001\n1001\n0027" {
		t.Errorf("output without groups %q", out)
	}
}

func TestSetGroupsFalseKeepsGroups(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	want := statusOf(t, "/proc/self/status")["Groups"]
	p := rootPlan(t, "cat", "/proc/self/status")
	p.SetGroups, p.Groups = false, []uint32{77}
	if got := parseStatus(run(t, nil, p))["Groups"]; got != want {
		t.Errorf("groups %q, want %q", got, want)
	}
}

func TestCapabilities(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	const chown, kill, net = 1 << unix.CAP_CHOWN, 1 << unix.CAP_KILL, 1 << unix.CAP_NET_ADMIN
	const block = 1 << unix.CAP_BLOCK_SUSPEND // in the upper half
	all := chown | kill | net | block
	for _, tt := range []struct {
		name string
		uid  uint32
		p    Plan
		want Plan
	}{
		{
			"none", 1000, Plan{}, Plan{},
		},
		{
			"a user's without ambient are lost in the exec", 1000,
			Plan{Bounding: uint64(all), Effective: chown, Permitted: chown | block},
			Plan{Bounding: uint64(all)},
		},
		{
			"ambient ones are not", 1000,
			Plan{Bounding: uint64(all), Effective: chown, Permitted: chown | block, Inheritable: chown | block, Ambient: chown | block},
			Plan{
				Bounding: uint64(all), Effective: chown | block, Permitted: chown | block,
				Inheritable: chown | block, Ambient: chown | block,
			},
		},
		{
			"ambient but not inheritable or permitted is skipped", 1000,
			Plan{Bounding: uint64(all), Permitted: chown | kill, Inheritable: kill | net, Ambient: uint64(all)},
			Plan{Bounding: uint64(all), Effective: kill, Permitted: kill, Inheritable: kill | net, Ambient: kill},
		},
		{
			"root gets the bounding set", 0,
			Plan{Bounding: chown | kill, Effective: chown, Permitted: chown},
			Plan{Bounding: chown | kill, Effective: chown | kill, Permitted: chown | kill},
		},
		{
			"ones that no kernel has", 0,
			Plan{Bounding: chown | 1<<63, Permitted: chown | 1<<63, Inheritable: 1 << 63, Ambient: 1 << 63},
			Plan{Bounding: chown, Effective: chown, Permitted: chown},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			p.Args, p.Cwd, p.UID, p.GID, p.SetGroups = []string{"/bin/cat", "/proc/self/status"}, "/", tt.uid, tt.uid, true
			status := parseStatus(run(t, nil, &p))
			for field, want := range map[string]uint64{
				"CapBnd": tt.want.Bounding, "CapEff": tt.want.Effective, "CapPrm": tt.want.Permitted,
				"CapInh": tt.want.Inheritable, "CapAmb": tt.want.Ambient,
			} {
				if got := parseHex(t, status[field]); got != want {
					t.Errorf("%s %#x, want %#x", field, got, want)
				}
			}
		})
	}
}

// onThreadWithout runs f on a thread whose children have only the given
// capabilities, even as root.
func onThreadWithout(t *testing.T, drop []uintptr, f func()) {
	t.Helper()
	onThread(func() {
		for _, c := range drop {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				t.Errorf("PR_CAPBSET_DROP: %v", err)
				return
			}
		}
		f()
	})
}

func TestCapabilitiesThatRootLacks(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	all := capabilities(t)
	onThreadWithout(t, []uintptr{unix.CAP_NET_RAW, unix.CAP_SETPCAP}, func() {
		p := rootPlan(t, "true")
		step := configureError(t, nil, p)
		if step.Error() != "capset: operation not permitted" {
			t.Errorf("permitted beyond the own: %v", step)
		}
		less := all &^ (1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETPCAP)
		p.Bounding, p.Effective, p.Permitted = all, less, less
		run(t, nil, p) // nothing is dropped, so CAP_SETPCAP is not needed
		p.Bounding = less &^ (1 << unix.CAP_CHOWN)
		if step := configureError(t, nil, p); step.Error() != "drop bounding capability 0: operation not permitted" {
			t.Errorf("drop without CAP_SETPCAP: %v", step)
		}
	})
}

func TestKeepCredentials(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	want := statusOf(t, "/proc/self/status")
	p := &Plan{
		Args: []string{"/bin/cat", "/proc/self/status"}, Cwd: "/", KeepCredentials: true,
		UID: 5, GID: 6, Groups: []uint32{7}, SetGroups: true, Umask: 0o123,
	}
	got := parseStatus(run(t, nil, p))
	for _, field := range []string{"Uid", "Gid", "Groups", "Umask", "CapBnd", "CapPrm"} {
		if got[field] != want[field] {
			t.Errorf("%s %q, want %q", field, got[field], want[field])
		}
	}
}

func TestNoNewPrivileges(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, set := range []bool{false, true} {
		p := rootPlan(t, "cat", "/proc/self/status")
		p.NoNewPrivileges = set
		if got := parseStatus(run(t, nil, p))["NoNewPrivs"]; (got == "1") != set {
			t.Errorf("NoNewPrivs %s, want %v", got, set)
		}
	}
}

func TestKeyring(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	name := fmt.Sprintf("_ses.nsenter-test-%d", os.Getpid())
	p := shell(t, "grep "+name+" /proc/keys || echo none")
	if out := run(t, nil, p); out != "none" {
		t.Fatalf("keyring before: %q", out)
	}
	p.Keyring = name
	out := run(t, nil, p)
	fields := strings.Fields(out)
	if len(fields) < 5 {
		t.Skipf("needs kernel keyrings: %q", out)
	}
	if usr := parseHex(t, fields[4]) >> 16 & 0xff; usr&0x08 == 0 {
		t.Errorf("permissions %s: the user may not search", fields[4])
	}
	p.Keyring = strings.Repeat("k", 5000)
	if step := configureError(t, nil, p); step.Step != "join session keyring" || step.Errno == 0 {
		t.Errorf("long name: %v", step)
	}
}

func TestPersonality(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	const linux32 = 8
	for _, domain := range []uint32{0, linux32} {
		p := rootPlan(t, "cat", "/proc/self/personality")
		p.Personality = &domain
		if out := run(t, nil, p); out != fmt.Sprintf("%08x", domain) {
			t.Errorf("personality %s, want %#x", out, domain)
		}
	}
}

func TestMemoryPolicy(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skipf("needs a kernel with NUMA: %v", err)
	}
	for _, tt := range []struct {
		policy MemoryPolicy
		want   string
	}{
		{MemoryPolicy{Mode: unix.MPOL_BIND, Nodes: []uint64{1}}, "bind:0"},
		{MemoryPolicy{Mode: unix.MPOL_BIND | unix.MPOL_F_STATIC_NODES, Nodes: []uint64{1, 0}}, "bind=static:0"},
		{MemoryPolicy{Mode: unix.MPOL_LOCAL}, "local"},
		{MemoryPolicy{}, "default"},
	} {
		p := shell(t, "grep -m 1 heap /proc/self/numa_maps")
		p.MemoryPolicy = &tt.policy
		if f := strings.Fields(run(t, nil, p)); len(f) < 2 || f[1] != tt.want {
			t.Errorf("policy %q, want %s", f, tt.want)
		}
	}
	p := rootPlan(t, "true")
	p.MemoryPolicy = &MemoryPolicy{Mode: unix.MPOL_BIND}
	if step := configureError(t, nil, p); step.Error() != "set_mempolicy: invalid argument" || step.Step != StepMemoryPolicy {
		t.Errorf("error %v", step)
	}
}

func TestResetAffinity(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	all := statusOf(t, "/proc/self/status")["Cpus_allowed"]
	onThread(func() {
		var one unix.CPUSet
		one.Set(0)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Errorf("sched_setaffinity: %v", err)
			return
		}
		for _, reset := range []bool{false, true} {
			want := all
			if !reset {
				want = strings.Repeat("0", len(all)-1) + "1"
			}
			o := &Options{NewNamespaces: allNew, ResetAffinity: reset}
			if got := parseStatus(run(t, o, rootPlan(t, "cat", "/proc/self/status")))["Cpus_allowed"]; got != want {
				t.Errorf("reset %v: CPUs %s, want %s", reset, got, want)
			}
		}
	})
}

// Without the security module the kernel refuses the label, and the error names it. The
// integration tests check the effect with the module.
func TestLabelsAreRefused(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.AppArmor = "no-such-profile"
	step := configureError(t, nil, p)
	if step.Step != StepAppArmor || step.Detail != "no-such-profile" || step.Errno == 0 {
		t.Errorf("AppArmor: %v", step)
	}
	p.AppArmor = strings.Repeat("x", wire.MaxDetail)
	if step := configureError(t, nil, p); !strings.HasSuffix(step.Error(), ": file name too long") {
		t.Errorf("long profile: %v", step)
	}
	p = rootPlan(t, "true")
	p.SELinux = "no such label"
	step = configureError(t, nil, p)
	if step.Step != StepSELinux || step.Detail != "no such label" || step.Errno == 0 {
		t.Errorf("SELinux: %v", step)
	}
}
