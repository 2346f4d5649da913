// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

const (
	allow  = unix.SECCOMP_RET_ALLOW
	other  = unix.SECCOMP_RET_TRAP // the default action
	enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func mustArch(t *testing.T, name string) syscalls.Arch {
	t.Helper()
	for _, a := range []syscalls.Arch{
		{Name: "SCMP_ARCH_X86_64", Audit: unix.AUDIT_ARCH_X86_64},
		{Name: "SCMP_ARCH_X86", Audit: unix.AUDIT_ARCH_I386, Narrow: true},
		{Name: "SCMP_ARCH_X32", Audit: unix.AUDIT_ARCH_X86_64, Narrow: true},
		{Name: "SCMP_ARCH_AARCH64", Audit: unix.AUDIT_ARCH_AARCH64},
		{Name: "SCMP_ARCH_ARM", Audit: unix.AUDIT_ARCH_ARM, Narrow: true},
	} {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no architecture %s", name)
	return syscalls.Arch{}
}

func build(t *testing.T, archs []Arch, stub bool) bpf.Program {
	t.Helper()
	p, err := bpf.Parse(Build(archs, other, stub))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ask(t *testing.T, p bpf.Program, d bpf.Data) uint32 {
	t.Helper()
	got, err := p.Run(&d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGaps(t *testing.T) {
	for _, c := range []struct {
		name     string
		archs    []string
		known    []uint32
		old, new []uint32
	}{
		{"plain", []string{"SCMP_ARCH_AARCH64"}, []uint32{5, 400, 7}, []uint32{0, 6, 399, 400}, []uint32{401, 1 << 30, 0xffffffff}},
		{"highest of all", []string{"SCMP_ARCH_AARCH64"}, []uint32{0xffffffff}, []uint32{0, 0xffffffff}, nil},
		{"nothing named", []string{"SCMP_ARCH_AARCH64"}, nil, []uint32{0, 400, 0xffffffff}, nil},
		{
			"x86-64 alone ends where x32 begins",
			[]string{"SCMP_ARCH_X86_64"},
			[]uint32{334},
			[]uint32{0, 334, 0xffffffff},
			[]uint32{335, 0x3fffffff},
		},
		{
			"x32",
			[]string{"SCMP_ARCH_X32"},
			[]uint32{0x40000000, 0x4000014e, 0x40000221},
			[]uint32{0, 335, 0x40000001, 0x4000014e, 0x40000200, 0x40000221, 0x40000223},
			[]uint32{0x4000014f, 0x400001ff, 0x40000224, 0xffffffff},
		},
		{
			"x32 without its own calls",
			[]string{"SCMP_ARCH_X32"},
			[]uint32{0x4000014e},
			[]uint32{0x40000200, 0x40000223},
			[]uint32{0x4000014f, 0x40000224},
		},
		{
			"ARM's private calls are not new",
			[]string{"SCMP_ARCH_ARM"},
			[]uint32{400, 0xf0002},
			[]uint32{400, 0xf0000, 0xf0005},
			[]uint32{401, 0xeffff},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var archs []Arch
			for _, name := range c.archs {
				archs = append(archs, Arch{Arch: mustArch(t, name), Known: c.known})
			}
			p := build(t, archs, true)
			for _, nr := range c.old {
				if got := ask(t, p, bpf.Data{Arch: archs[0].Audit, Number: nr}); got != other {
					t.Errorf("number %#x: %#x", nr, got)
				}
			}
			for _, nr := range c.new {
				if got := ask(t, p, bpf.Data{Arch: archs[0].Audit, Number: nr}); got != enosys {
					t.Errorf("number %#x: %#x, want ENOSYS", nr, got)
				}
				if got := ask(t, p, bpf.Data{Arch: 0x12345678, Number: nr}); got != badArch {
					t.Errorf("another architecture, number %#x: %#x", nr, got)
				}
				if got := ask(t, build(t, archs, false), bpf.Data{Arch: archs[0].Audit, Number: nr}); got != other {
					t.Errorf("without the stub, number %#x: %#x", nr, got)
				}
			}
		})
	}
}

// TestChecks compares every operator with Go's, around every interesting value.
func TestChecks(t *testing.T) {
	edges := []uint64{0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<32 + 1, 2 << 32, 1 << 63, 1<<64 - 1}
	holds := map[Op]func(arg, value, two uint64) bool{
		NotEqual:       func(a, v, _ uint64) bool { return a != v },
		LessThan:       func(a, v, _ uint64) bool { return a < v },
		LessOrEqual:    func(a, v, _ uint64) bool { return a <= v },
		Equal:          func(a, v, _ uint64) bool { return a == v },
		GreaterOrEqual: func(a, v, _ uint64) bool { return a >= v },
		GreaterThan:    func(a, v, _ uint64) bool { return a > v },
		MaskedEqual:    func(a, v, two uint64) bool { return a&v == two },
	}
	for _, name := range []string{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"} {
		cut := uint64(1<<64 - 1)
		if name == "SCMP_ARCH_ARM" {
			cut = 1<<32 - 1
		}
		for op, want := range holds {
			for i, v := range edges {
				check := Arg{Index: uint8(i % 6), Op: op, Value: v, ValueTwo: v & edges[(i+5)%len(edges)]}
				a := Arch{Arch: mustArch(t, name), Calls: []Call{{7, []Rule{{allow, []Arg{check}}}, other}}}
				p := build(t, []Arch{a}, false)
				for _, arg := range edges {
					for _, d := range []uint64{arg - 1, arg, arg + 1} {
						data := bpf.Data{Arch: a.Audit, Number: 7}
						data.Args[check.Index] = d
						got := ask(t, p, data) == allow
						if got != want(d&cut, check.Value&cut, check.ValueTwo&cut) {
							t.Errorf("%s: operator %d value %#x %#x argument %#x: %v", name, op, v, check.ValueTwo, d, got)
						}
					}
				}
			}
		}
	}
}

// TestCalls has rules of several checks, several rules, and more of them than a
// conditional jump can cross.
func TestCalls(t *testing.T) {
	eq := func(index uint8, v uint64) Arg { return Arg{Index: index, Op: Equal, Value: v} }
	many := Call{Number: 9, Action: other}
	for i := range uint64(300) {
		many.Rules = append(many.Rules, Rule{uint32(i), []Arg{eq(1, i)}})
	}
	a := Arch{Arch: mustArch(t, "SCMP_ARCH_X86_64"), Known: []uint32{50}, Calls: []Call{
		{500, []Rule{{5, []Arg{eq(0, 4)}}}, other},
		{4, []Rule{{1, []Arg{eq(0, 1), eq(2, 3)}}, {2, []Arg{eq(0, 1)}}, {3, []Arg{eq(0, 1)}}}, other},
		many,
		{10, nil, 77},
		{11, nil, 77},
		{12, []Rule{{5, []Arg{eq(0, 4)}}}, 77},
	}}
	x86 := Arch{Arch: mustArch(t, "SCMP_ARCH_X86"), Calls: []Call{{4, []Rule{{8, []Arg{eq(0, 1)}}}, other}}}
	p := build(t, []Arch{a, x86}, false)
	for _, c := range []struct {
		arch   uint32
		number uint32
		args   [6]uint64
		want   uint32
	}{
		{a.Audit, 4, [6]uint64{1, 0, 3}, 1},
		{a.Audit, 4, [6]uint64{1, 0, 4}, 2},
		{a.Audit, 4, [6]uint64{2, 0, 3}, other},
		// An argument that is the number of a later call.
		{a.Audit, 4, [6]uint64{500}, other},
		{a.Audit, 9, [6]uint64{0, 299}, 299},
		{a.Audit, 9, [6]uint64{0, 300}, other},
		{a.Audit, 500, [6]uint64{4}, 5},
		{a.Audit, 10, [6]uint64{4}, 77},
		{a.Audit, 11, [6]uint64{4}, 77},
		{a.Audit, 12, [6]uint64{4}, 5},
		{a.Audit, 12, [6]uint64{5}, 77},
		{a.Audit, 13, [6]uint64{4}, other},
		{a.Audit, 501, [6]uint64{4}, other},
		{x86.Audit, 4, [6]uint64{1}, 8},
		{x86.Audit, 500, [6]uint64{4}, other},
		{0x12345678, 4, [6]uint64{1}, badArch},
		{a.Audit, 0x40000004, [6]uint64{1}, badArch},
		{a.Audit, 0xffffffff, [6]uint64{1}, other},
	} {
		t.Run(fmt.Sprintf("%#x/%d/%d", c.arch, c.number, c.args), func(t *testing.T) {
			if got := ask(t, p, bpf.Data{Arch: c.arch, Number: c.number, Args: c.args}); got != c.want {
				t.Errorf("%#x, want %#x", got, c.want)
			}
		})
	}
}

// TestNeighboursAreJoined: a profile that allows most calls becomes a short program.
func TestNeighboursAreJoined(t *testing.T) {
	a := Arch{Arch: mustArch(t, "SCMP_ARCH_AARCH64")}
	for n := range uint32(300) {
		a.Calls = append(a.Calls, Call{Number: n, Action: allow})
	}
	if got := build(t, []Arch{a}, false); len(got) != 7 {
		t.Errorf("%d instructions: %v", len(got), got)
	}
}

// TestManyValues: rules with one value each, some of which share their loads, have the same
// meaning as one by one.
func TestManyValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var rules []Rule
		action := uint32(allow)
		arg := Arg{Op: Equal}
		for range random.IntN(700) {
			switch random.IntN(60) { // rarely, so that there are long runs
			case 0:
				action = []uint32{allow, other, enosys}[random.IntN(3)]
			case 1:
				arg.Index = uint8(random.IntN(2))
			case 2:
				arg.Op = []Op{Equal, MaskedEqual, GreaterThan}[random.IntN(3)]
			case 3:
				arg.Value = uint64(random.IntN(2)) << 32
			}
			a := arg
			if a.Op == MaskedEqual {
				a.Value |= 0xf0
				a.ValueTwo = a.Value & uint64(random.IntN(1<<10))
			} else {
				a.Value |= uint64(random.IntN(1 << 10))
			}
			rules = append(rules, Rule{Action: action, Args: []Arg{a}})
		}
		for _, name := range []string{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"} {
			a := Arch{Arch: mustArch(t, name), Calls: []Call{{7, rules, other}}}
			p := build(t, []Arch{a}, false)
			for range 300 {
				data := bpf.Data{Arch: a.Audit, Number: 7}
				data.Args[0] = uint64(random.IntN(1<<10)) | uint64(random.IntN(2))<<32
				data.Args[1] = uint64(random.IntN(1<<10)) | uint64(random.IntN(2))<<32
				if got, want := ask(t, p, data), byRules(rules, &data, name == "SCMP_ARCH_ARM"); got != want {
					t.Fatalf("%s, %d rules, arguments %#x: %#x, want %#x", name, len(rules), data.Args[:2], got, want)
				}
			}
		}
	}
}

// byRules returns the result of the first rule that matches.
func byRules(rules []Rule, data *bpf.Data, narrow bool) uint32 {
	cut := uint64(math.MaxUint64)
	if narrow {
		cut = math.MaxUint32
	}
	for i := range rules {
		a := &rules[i].Args[0]
		v := data.Args[a.Index] & cut
		matches := v == a.Value&cut
		switch a.Op {
		case MaskedEqual:
			matches = v&a.Value == a.ValueTwo&cut
		case GreaterThan:
			matches = v > a.Value&cut
		}
		if matches {
			return rules[i].Action
		}
	}
	return other
}

// TestFourThousandValues: they fit, as in runc and crun.
func TestFourThousandValues(t *testing.T) {
	rules := make([]Rule, 4000)
	for i := range rules {
		rules[i] = Rule{Action: allow, Args: []Arg{{Index: 1, Op: Equal, Value: 100000 + 3*uint64(i)}}}
	}
	a := Arch{Arch: mustArch(t, "SCMP_ARCH_AARCH64"), Calls: []Call{{7, rules, other}}}
	code := Build([]Arch{a}, other, true)
	if n := len(code) / InstructionSize; n > MaxInstructions {
		t.Errorf("%d instructions", n)
	}
}
