// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"testing"

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
			`linux.seccomp.flags[1]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`,
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

// TestHaveFlags checks that the probe can say no, by a bit without a meaning.
func TestHaveFlags(t *testing.T) {
	if err := haveFlags(unix.SECCOMP_FILTER_FLAG_LOG); err != nil {
		t.Errorf("LOG: %v", err)
	}
	if err := haveFlags(1 << 31); err == nil {
		t.Error("the kernel is said to have bit 31")
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

// TestArchs checks the list against the compiler: what is in it compiles, or is
// refused for its byte order; what is not in it is not known.
func TestArchs(t *testing.T) {
	requireCompiler(t)
	if LibraryVersion() == "" {
		t.Error("no version of libseccomp")
	}
	listed := Archs()
	if !slices.Contains(listed, "SCMP_ARCH_X86_64") {
		t.Errorf("no x86-64 among %v", listed)
	}
	for _, name := range listed {
		_, err := Compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.Arch(name)},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}},
		}, "")
		want := "linux.seccomp.architectures: " + name + ": libseccomp cannot add it: numerical argument out of domain"
		if err != nil && err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
