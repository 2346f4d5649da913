// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpftest"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Numbers of i386's multiplexers: libseccomp turns a rule for `socket` into one
// for socketcall(2) as well, which TestMultiplexers checks.
const (
	i386Socketcall = 102
	i386IPC        = 117
)

// sampleNumbers are all numbers that any kernel gives a meaning to, and the
// edges beyond.
func sampleNumbers() []uint32 {
	list := []uint32{x32 - 1, x32 + 1<<20, 0x7fffffff, 0x80000000, 0xf0002, 0xffffffff}
	for n := range uint32(600) {
		list = append(list, n, x32+n)
	}
	return list
}

// sampleArgs are arguments worth trying with the checks of a profile on one
// system call: the edges of each check, in all combinations.
func sampleArgs(o *oracle, a *abi, nr uint32) [][6]uint64 {
	samples := [][6]uint64{{}, {^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}
	if a == nil {
		return samples
	}
	var values [6][]uint64
	for i := range o.profile.Syscalls {
		s := &o.profile.Syscalls[i]
		if !o.names(a, s, nr) {
			continue
		}
		for _, c := range s.Args {
			values[c.Index] = append(values[c.Index],
				0, c.Value, c.Value+1, c.Value-1, ^c.Value, c.Value|1<<40, c.Value&0xffffffff, c.ValueTwo, c.ValueTwo|^c.Value)
		}
	}
	for i, list := range values {
		slices.Sort(list)
		list = slices.Compact(list)
		for _, s := range slices.Clone(samples) {
			for _, v := range list {
				if len(samples) < 3000 {
					s[i] = v
					samples = append(samples, s)
				}
			}
		}
	}
	return samples
}

// compareAll runs the filter of a profile on everything, and returns how many
// comparisons that were.
func compareAll(t *testing.T, profile *specs.LinuxSeccomp) int {
	t.Helper()
	program, err := Compile(profile, "")
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpftest.Parse(program.BPF)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{profile: profile, unknown: program.Unknown, abis: kernelABIs(t)}
	count, bad := 0, 0
	for _, audit := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64} {
		for _, nr := range sampleNumbers() {
			if audit == unix.AUDIT_ARCH_I386 && (nr == i386Socketcall || nr == i386IPC) {
				continue
			}
			d := &bpftest.Data{Number: nr, Arch: audit}
			for _, d.Args = range sampleArgs(o, o.abiOf(d), nr) {
				got, err := vm.Run(d)
				if err != nil {
					t.Fatal(err)
				}
				count++
				if want := o.action(d); got != want {
					t.Errorf("arch %#x number %#x args %#x: %#x, want %#x", audit, nr, d.Args, got, want)
					if bad++; bad > 20 {
						t.FailNow()
					}
				}
			}
		}
	}
	return count
}

func TestDefaultProfileDifferential(t *testing.T) {
	requireCompiler(t)
	profile := readProfile(t, "testdata/default.json")
	native := *profile
	native.Architectures = nil
	for name, p := range map[string]*specs.LinuxSeccomp{"all architectures": profile, "native only": &native} {
		t.Run(name, func(t *testing.T) { t.Logf("%d comparisons", compareAll(t, p)) })
	}
}

// TestRandomProfilesDifferential is seeded, so that what it finds stays found.
func TestRandomProfilesDifferential(t *testing.T) {
	requireCompiler(t)
	names := make([]string, 0, 500)
	for name := range kernelABIs(t)[0].numbers {
		names = append(names, name)
	}
	slices.Sort(names)
	count := 0
	for seed := range uint64(60) {
		count += compareAll(t, randomProfile(rand.New(rand.NewPCG(seed, 1)), names))
	}
	t.Logf("%d comparisons", count)
}

func randomProfile(r *rand.Rand, names []string) *specs.LinuxSeccomp {
	defaults := []specs.LinuxSeccompAction{
		specs.ActErrno, specs.ActErrno, specs.ActAllow, specs.ActKill, specs.ActKillProcess,
		specs.ActLog, specs.ActTrace, specs.ActTrap,
	}
	actions := append(defaults, specs.ActNotify)
	p := &specs.LinuxSeccomp{DefaultAction: defaults[r.IntN(len(defaults))], ListenerPath: "/agent"}
	for _, a := range []specs.Arch{specs.ArchX86, specs.ArchX32} {
		if r.IntN(2) == 0 {
			p.Architectures = append(p.Architectures, a)
		}
	}
	// Names are drawn from a part of the list, so that many meet twice.
	part := names[:2+r.IntN(len(names)-2)]
	for range 1 + r.IntN(60) {
		s := specs.LinuxSyscall{Action: actions[r.IntN(len(actions))]}
		if s.Action == specs.ActErrno && r.IntN(2) == 0 {
			s.ErrnoRet = new(uint(r.IntN(134)))
		}
		for range 1 + r.IntN(3) {
			if name := part[r.IntN(len(part))]; name != "write" {
				s.Names = append(s.Names, name)
			}
		}
		for range max(0, r.IntN(6)-2) {
			s.Args = append(s.Args, randomArg(r))
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}

func randomArg(r *rand.Rand) specs.LinuxSeccompArg {
	values := []uint64{0, 1, 2, 8, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<32 + 5, 1 << 63, ^uint64(0)}
	a := specs.LinuxSeccompArg{
		Index: uint(r.IntN(3)), Value: values[r.IntN(len(values))],
		Op: opNames[r.IntN(len(opNames))].name,
	}
	if a.Op == specs.OpMaskedEqual {
		a.ValueTwo = a.Value & values[r.IntN(len(values))]
	}
	return a
}

// TestMultiplexers checks that a rule for a call of i386 that old programs make
// by way of socketcall(2) or ipc(2) holds there as well.
func TestMultiplexers(t *testing.T) {
	requireCompiler(t)
	program, err := Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Architectures: []specs.Arch{specs.ArchX86},
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"socket", "shmget"}, Action: specs.ActAllow}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpftest.Parse(program.BPF)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		nr   uint32
		call uint64
		want uint32
	}{
		{i386Socketcall, 1, unix.SECCOMP_RET_ALLOW},
		{i386Socketcall, 2, unix.SECCOMP_RET_ERRNO | 1},
		{i386IPC, 23, unix.SECCOMP_RET_ALLOW},
		{i386IPC, 24, unix.SECCOMP_RET_ERRNO | 1},
	} {
		got, err := vm.Run(&bpftest.Data{Number: c.nr, Arch: unix.AUDIT_ARCH_I386, Args: [6]uint64{c.call}})
		if err != nil || got != c.want {
			t.Errorf("number %d call %d: %#x, %v; want %#x", c.nr, c.call, got, err, c.want)
		}
	}
}
