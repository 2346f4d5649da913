// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"slices"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestFilterFlags(t *testing.T) {
	if haveFlags(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW) != nil {
		missing(t, "SECCOMP_FILTER_FLAG_SPEC_ALLOW (Linux 4.17)")
	}
	for _, c := range []struct {
		name  string
		flags []specs.LinuxSeccompFlag
		want  uint32
		err   string
	}{
		{"none", nil, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, ""},
		{"empty", []specs.LinuxSeccompFlag{}, 0, ""},
		{
			"listed",
			[]specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
			unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, "",
		},
		{"moot", []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC"}, 0, ""},
		{
			"unknown",
			[]specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
			0,
			`linux.seccomp.flags[1]: seccomp flag SECCOMP_FILTER_FLAG_NEW_LISTENER is not known`,
		},
	} {
		got, err := filterFlags(c.flags)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", c.name, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %#x, %v; want %#x", c.name, got, err, c.want)
		}
	}
}

// TestHaveFlags checks that the probe can fail, with a flag that does not exist.
func TestHaveFlags(t *testing.T) {
	if err := haveFlags(unix.SECCOMP_FILTER_FLAG_LOG); err != nil {
		t.Errorf("LOG: %v", err)
	}
	if err := haveFlags(1 << 31); err == nil {
		t.Error("the probe says that the kernel has flag bit 31")
	}
}

func TestFeatureLists(t *testing.T) {
	for name, list := range map[string][]string{
		"actions": Actions(), "operators": Operators(), "flags": KnownFlags(), "archs": Archs(),
	} {
		if !slices.IsSorted(list) {
			t.Errorf("%s are not sorted: %v", name, list)
		}
	}
	for _, flag := range SupportedFlags() {
		if !slices.Contains(KnownFlags(), flag) {
			t.Errorf("%s is supported but not known", flag)
		}
	}
}

// TestArchs: the whole list of the spec is accepted. Architectures that this machine cannot run
// need no rules, and do not change the filter.
func TestArchs(t *testing.T) {
	profile := func(archs ...specs.Arch) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{
			DefaultAction: specs.ActErrno, Architectures: archs,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}},
		}
	}
	alone, err := Compile(profile())
	if err != nil {
		t.Fatal(err)
	}
	others := 0
	for _, name := range Archs() {
		p, err := Compile(profile(specs.Arch(name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if bytes.Equal(p.BPF, alone.BPF) {
			others++
		}
	}
	// The native one is always included.
	if want := len(Archs()) - len(syscalls.Runnable()) + 1; others != want {
		t.Errorf("%d architectures change nothing, want %d", others, want)
	}
}

// TestSyscalls: exactly the calls that features lists can be filtered.
func TestSyscalls(t *testing.T) {
	list := Syscalls()
	if !slices.IsSorted(list) {
		t.Error("not sorted")
	}
	for _, name := range []string{"read", "statmount", "rseq_slice_yield"} {
		if !slices.Contains(list, name) {
			t.Errorf("no %s", name)
		}
	}
	var archs []specs.Arch
	for _, a := range Archs() {
		archs = append(archs, specs.Arch(a))
	}
	size := func(name string) int {
		p, err := Compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Architectures: archs,
			Syscalls: []specs.LinuxSyscall{{Names: []string{name}, Action: specs.ActErrno}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(p.BPF)
	}
	empty := size("no_such_call")
	for _, c := range syscalls.All() {
		if got, want := size(c.Name) > empty, slices.Contains(list, c.Name); got != want {
			t.Errorf("%s: filtered %v, listed %v", c.Name, got, want)
		}
	}
}
