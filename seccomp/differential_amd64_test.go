// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Numbers of i386's multiplexers: a rule for `socket` is one
// for socketcall(2) as well, which TestMultiplexers checks.
const (
	i386Socketcall = 102
	i386IPC        = 117
)

// sampleNumbers returns all numbers that mean something in some kernel, and the edges beyond.
func sampleNumbers() []uint32 {
	list := []uint32{x32 - 1, x32 + 1<<20, 0x7fffffff, 0x80000000, 0xf0002, 0xffffffff}
	for n := range uint32(600) {
		list = append(list, n, x32+n)
	}
	return list
}

// sampleArgs returns arguments worth trying with a profile's checks of one system call: the
// edges of each check, in all combinations.
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
	program, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.Parse(program.BPF)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{profile: profile, abis: kernelABIs(t)}
	count, bad := 0, 0
	for _, audit := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64} {
		for _, nr := range sampleNumbers() {
			if audit == unix.AUDIT_ARCH_I386 && (nr == i386Socketcall || nr == i386IPC) {
				continue
			}
			d := &bpf.Data{Number: nr, Arch: audit}
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
	profile := readProfile(t, "testdata/default.json")
	native := *profile
	native.Architectures = nil
	for name, p := range map[string]*specs.LinuxSeccomp{"all architectures": profile, "native only": &native} {
		t.Run(name, func(t *testing.T) { t.Logf("%d comparisons", compareAll(t, p)) })
	}
}

// TestRandomProfilesDifferential has a fixed seed, so that its results can be repeated.
func TestRandomProfilesDifferential(t *testing.T) {
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
	actions := []specs.LinuxSeccompAction{
		specs.ActErrno, specs.ActErrno, specs.ActAllow, specs.ActKill, specs.ActKillProcess,
		specs.ActLog, specs.ActTrace, specs.ActTrap, specs.ActNotify,
	}
	p := &specs.LinuxSeccomp{DefaultAction: actions[r.IntN(len(actions))], ListenerPath: "/agent"}
	for _, a := range []specs.Arch{specs.ArchX86, specs.ArchX32} {
		if r.IntN(2) == 0 {
			p.Architectures = append(p.Architectures, a)
		}
	}
	// Names are chosen from a part of the list, so that many occur twice.
	part := names[:2+r.IntN(len(names)-2)]
	for range 1 + r.IntN(60) {
		s := specs.LinuxSyscall{Action: actions[r.IntN(len(actions))]}
		if s.Action == specs.ActErrno && r.IntN(2) == 0 {
			s.ErrnoRet = new(uint(r.IntN(134)))
		}
		for range 1 + r.IntN(3) {
			s.Names = append(s.Names, part[r.IntN(len(part))])
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

// TestPodmanProfile compiles Podman's default profile, if it is installed, as Podman passes it
// on x86-64 without added capabilities.
func TestPodmanProfile(t *testing.T) {
	b, err := os.ReadFile("/usr/share/containers/seccomp.json")
	if err != nil {
		t.Skip("requires Podman's profile (Debian: golang-github-containers-common)")
	}
	p, err := fromEngineProfile(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d comparisons", compareAll(t, p))
}

// fromEngineProfile does what engines do with the profiles in their own format.
func fromEngineProfile(b []byte) (*specs.LinuxSeccomp, error) {
	var in struct {
		specs.LinuxSeccomp
		Syscalls []struct {
			specs.LinuxSyscall
			Includes, Excludes struct{ Arches, Caps []string }
		}
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, err
	}
	out := in.LinuxSeccomp
	out.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
	for _, s := range in.Syscalls {
		arch := len(s.Includes.Arches) == 0 || slices.Contains(s.Includes.Arches, "amd64")
		if arch && len(s.Includes.Caps) == 0 && !slices.Contains(s.Excludes.Arches, "amd64") {
			out.Syscalls = append(out.Syscalls, s.LinuxSyscall)
		}
	}
	return &out, nil
}

// TestMeetingRules: profiles with overlapping rules that libseccomp 2.5.4 compiles wrongly, or
// extremely slowly, and similar ones from engines.
func TestMeetingRules(t *testing.T) {
	for name, rules := range map[string]string{
		"a word of another argument": `
			{"names":["getgid"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_GT"}]},
			{"names":["getgid"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":5,"op":"SCMP_CMP_EQ"},
				{"index":0,"value":9,"op":"SCMP_CMP_LT"}]}`,
		"the same checks, two actions": `
			{"names":["getgid"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
			{"names":["getgid"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}`,
		"socket families": `
			{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":38,"op":"SCMP_CMP_LT"}]},
			{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":39,"op":"SCMP_CMP_EQ"}]},
			{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_GT"}]}`,
		"a rule by name hides them": `
			{"names":["getgid"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
			{"names":["getgid"],"action":"SCMP_ACT_ALLOW"}, {"names":["getgid"],"action":"SCMP_ACT_TRAP"}`,
	} {
		t.Run(name, func(t *testing.T) {
			compareAll(t, parseProfile(t, `{"defaultAction":"SCMP_ACT_ERRNO",
				"architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"],"syscalls":[`+rules+`]}`))
		})
	}
}

// TestMultiplexers checks that a rule for a call of i386 also applies if old programs make it
// through socketcall(2) or ipc(2).
func TestMultiplexers(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		nr          uint32
		call        uint64
		want        uint32
	}{
		{"socket", `{"names":["socket"],"action":"SCMP_ACT_ALLOW"}`, i386Socketcall, 1, unix.SECCOMP_RET_ALLOW},
		{"bind instead", `{"names":["socket"],"action":"SCMP_ACT_ALLOW"}`, i386Socketcall, 2, unix.SECCOMP_RET_ERRNO | 1},
		{"shmget", `{"names":["shmget"],"action":"SCMP_ACT_ALLOW"}`, i386IPC, 23, unix.SECCOMP_RET_ALLOW},
		{"shmget with a version", `{"names":["shmget"],"action":"SCMP_ACT_ALLOW"}`, i386IPC, 1<<16 | 23, unix.SECCOMP_RET_ALLOW},
		{"shmctl instead", `{"names":["shmget"],"action":"SCMP_ACT_ALLOW"}`, i386IPC, 24, unix.SECCOMP_RET_ERRNO | 1},
		{
			"checks that no filter can make", `{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]}`,
			i386Socketcall, 1, unix.SECCOMP_RET_ALLOW,
		},
		{
			"only for that call", `{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]}`,
			i386Socketcall, 3, unix.SECCOMP_RET_ERRNO | 1,
		},
		{
			"hidden by a rule for all", `{"names":["socket"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]},
			{"names":["socketcall"],"action":"SCMP_ACT_ALLOW"}`, i386Socketcall, 1, unix.SECCOMP_RET_ALLOW,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, err := Compile(parseProfile(t, `{"defaultAction":"SCMP_ACT_ERRNO",
				"architectures":["SCMP_ARCH_X86"],"syscalls":[`+c.rules+`]}`))
			if err != nil {
				t.Fatal(err)
			}
			vm, err := bpf.Parse(program.BPF)
			if err != nil {
				t.Fatal(err)
			}
			got, err := vm.Run(&bpf.Data{Number: c.nr, Arch: unix.AUDIT_ARCH_I386, Args: [6]uint64{c.call}})
			if err != nil || got != c.want {
				t.Errorf("%#x, %v; want %#x", got, err, c.want)
			}
		})
	}
}
