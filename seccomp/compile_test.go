// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCompileNothing(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"nil": nil, "empty": {}, "only architectures": {Architectures: []specs.Arch{specs.ArchX86}},
	} {
		if program, err := Compile(p); program != nil || err != nil {
			t.Errorf("%s: %v, %v", name, program, err)
		}
	}
}

func TestCompileUnknownNames(t *testing.T) {
	p, err := Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "no_such_call", "read\x00junk"}, Action: specs.ActAllow},
			{Names: []string{"no_such_call"}, Action: specs.ActLog},
			{Names: []string{"nor_this", "s390_pci_mmio_read"}, Action: specs.ActErrno},
			{Names: []string{"forbidden", "no_such_call", "getpid"}, Action: specs.ActKill},
			{Names: []string{"forbidden"}, Action: specs.ActTrap},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"no_such_call", "read\x00junk", "nor_this", "forbidden"}; !slices.Equal(p.Unknown, want) {
		t.Errorf("%q, want %q", p.Unknown, want)
	}
	if want := []string{"forbidden", "no_such_call"}; !slices.Equal(p.Unenforced, want) {
		t.Errorf("stricter than the default: %q, want %q", p.Unenforced, want)
	}
}

func TestCompileNotify(t *testing.T) {
	const kill = uint32(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if haveFlags(kill|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) != nil {
		missing(t, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)")
	}
	for _, c := range []struct {
		name, call string
		action     specs.LinuxSeccompAction
		want       uint32
	}{
		{"notifies", "mkdir", specs.ActNotify, kill | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER},
		{"notifies nothing that exists", "no_such_call", specs.ActNotify, 0},
		{"does not", "mkdir", specs.ActLog, 0},
	} {
		p, err := Compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: "/agent",
			Flags:    []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
			Syscalls: []specs.LinuxSyscall{{Names: []string{c.call}, Action: c.action}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if p.Flags != c.want || p.NewListener() != (c.want != 0) {
			t.Errorf("%s: flags %#x, listener %v; want %#x", c.name, p.Flags, p.NewListener(), c.want)
		}
	}
}

// TestCompileTooLong has more checks than a program may have instructions.
func TestCompileTooLong(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(5000) {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
			Names: []string{"read"}, Action: specs.ActLog,
			Args: []specs.LinuxSeccompArg{{Value: i, Op: specs.OpEqualTo}},
		})
	}
	_, err := Compile(p)
	if err == nil || !strings.HasPrefix(err.Error(), "linux.seccomp: the filter has ") {
		t.Errorf("%v", err)
	}
}

func BenchmarkCompile(b *testing.B) {
	profile := readProfile(b, "testdata/default.json")
	for b.Loop() {
		if _, err := Compile(profile); err != nil {
			b.Fatal(err)
		}
	}
}
