// SPDX-License-Identifier: Apache-2.0

// Package filter generates a BPF program from a set of rules (seccomp(2)).
//
//	the architecture?  ── none of the list ──▶ kill the thread
//	  └─ the number: a binary tree over runs of numbers with one outcome
//	       ├─ an action
//	       └─ checks of arguments, each with an action, and what holds otherwise
//
// Berth does not use libseccomp, for three reasons. If there are several rules with argument
// checks for one system call, libseccomp 2.5.4 may compare a word of one argument with a value
// meant for another, and then allow a call that no rule allows: with one rule for arg0 > 1 and
// another for arg1 == 5 and arg0 < 9, the call with arg0 = 0 and arg1 = 500 is let through. It
// may take minutes for a dozen such rules. And it leaves out rules for system calls that are
// newer than itself.
//
// The package does not deal with names and profiles. Every number of every architecture always
// has exactly one outcome.
package filter

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// MaxInstructions is the length of the longest program that the kernel accepts (BPF_MAXINSNS).
const MaxInstructions = 4096

// InstructionSize is the size of a struct sock_filter.
const InstructionSize = 8

// Arch describes the filter for one architecture.
type Arch struct {
	syscalls.Arch
	// Known are the numbers of the system calls that the profile names. They are only used if
	// newer calls are to return ENOSYS.
	Known []uint32
	// Calls are the system calls whose outcome is not the default, each number once.
	Calls []Call
}

// Call is a system call with rules.
type Call struct {
	Number uint32
	// Rules are tried in order.
	Rules []Rule
	// Action is what the filter returns if no rule matches, SECCOMP_RET_* with its data.
	Action uint32
}

// Rule is one rule; all its Args must match.
type Rule struct {
	Action uint32
	Args   []Arg
}

// Op is an operator of an argument check.
type Op uint8

// The operators. Their order has no meaning.
const (
	NotEqual Op = iota + 1
	LessThan
	LessOrEqual
	Equal
	GreaterOrEqual
	GreaterThan
	MaskedEqual
)

// Arg is one check of an argument. For MaskedEqual, Value is the mask and ValueTwo the required
// result.
type Arg struct {
	Index           uint8
	Op              Op
	Value, ValueTwo uint64
}

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// badArch is the result for a system call whose architecture is not in the list.
const badArch = unix.SECCOMP_RET_KILL_THREAD

// Build returns the program, an array of struct sock_filter in the machine's byte order. def is
// the outcome of a system call without rules. With stub, those newer than the profile return
// ENOSYS. The first architecture should be the one that is used most, and x32 must come after
// x86-64. The kernel refuses a program of more than MaxInstructions.
func Build(archs []Arch, def uint32, stub bool) []byte {
	p := program{make([]byte, 0, 16<<10)}
	p.load(offArch)
	for i := range archs {
		audit := archs[i].Audit
		if slices.ContainsFunc(archs[:i], func(a Arch) bool { return a.Audit == audit }) {
			continue
		}
		body := program{make([]byte, 0, 8<<10)}
		body.load(offNumber)
		body.tree(runs(archs[i:], audit, def, stub))
		p.when(audit, body.code)
	}
	p.ret(badArch)
	return p.code
}

// run is a range of numbers with one outcome. It ends where the next one begins.
type run struct {
	first  uint32
	action uint32
	// call has rules to try before the action; nil if there are none.
	call   *Call
	narrow bool
}

// plain reports whether the run consists of just the action.
func (r *run) plain() bool { return r.call == nil }

// runs returns the runs of all numbers for one audit architecture. x32 has the one of x86-64,
// and differs only in its numbers.
func runs(archs []Arch, audit, def uint32, stub bool) []run {
	count := 0
	for i := range archs {
		if archs[i].Audit == audit {
			count += len(archs[i].Calls)
		}
	}
	calls := make([]run, 0, count)
	for i := range archs {
		if archs[i].Audit == audit {
			calls = archs[i].appendCalls(calls)
		}
	}
	return overlay(base(archs, audit, def, stub), calls)
}

// appendCalls adds the calls to those of architectures with lower numbers, in order.
func (a *Arch) appendCalls(list []run) []run {
	// Sorting the calls themselves takes several times as long.
	order := make([]uint64, len(a.Calls))
	for i := range a.Calls {
		order[i] = uint64(a.Calls[i].Number)<<32 | uint64(i)
	}
	slices.Sort(order)
	for _, key := range order {
		c := &a.Calls[uint32(key)]
		r := run{first: c.Number, action: c.Action}
		if len(c.Rules) > 0 {
			r.call, r.narrow = c, a.Narrow
		}
		list = append(list, r)
	}
	return list
}

// base returns the runs without rules, in order, beginning at 0.
func base(archs []Arch, audit, def uint32, stub bool) []run {
	list := []run{{first: 0, action: def}}
	hasX32 := false
	for i := range archs {
		a := &archs[i]
		if a.Audit != audit {
			continue
		}
		hasX32 = hasX32 || a.Name == "SCMP_ARCH_X32"
		if !stub {
			continue
		}
		for _, g := range a.gaps() {
			list = append(list, run{first: g.first, action: retENOSYS})
			if g.last < math.MaxUint32 {
				list = append(list, run{first: g.last + 1, action: def})
			}
		}
	}
	if audit == unix.AUDIT_ARCH_X86_64 && !hasX32 {
		// The last number is not one of x32: a tracer sets it to skip a call.
		list = append(list, run{first: syscalls.X32Bit, action: badArch}, run{first: math.MaxUint32, action: def})
	}
	// If two runs begin at the same number, the one added later counts, so that a beginning
	// overrides an end.
	slices.SortStableFunc(list, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	return list
}

// overlay puts single numbers over runs, and merges adjacent runs with the same action.
func overlay(list, calls []run) []run {
	out := make([]run, 0, len(list)+2*len(calls))
	add := func(r run) {
		if n := len(out); n > 0 && out[n-1].first == r.first {
			out = out[:n-1]
		}
		if n := len(out); n > 0 && out[n-1].plain() && r.plain() && out[n-1].action == r.action {
			return
		}
		out = append(out, r)
	}
	for i, r := range list {
		add(r)
		last := uint32(math.MaxUint32)
		if i+1 < len(list) {
			if list[i+1].first == r.first {
				continue
			}
			last = list[i+1].first - 1
		}
		for len(calls) > 0 && calls[0].first <= last {
			add(calls[0])
			if calls[0].first < last {
				add(run{first: calls[0].first + 1, action: r.action})
			}
			calls = calls[1:]
		}
	}
	return out
}

// tree adds the instructions that find the run of the number in the accumulator, and its
// outcome. The program never continues after them.
func (p *program) tree(list []run) {
	if len(list) == 1 {
		p.outcome(&list[0])
		return
	}
	middle := len(list) / 2
	at := p.len()
	p.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 0, list[middle].first)
	p.tree(list[:middle])
	n := p.len() - at - 1
	if n > math.MaxUint8 {
		// A conditional jump has only eight bits for the distance, so it jumps over one with
		// 32.
		p.code = slices.Insert(p.code, (at+1)*InstructionSize, instruction(unix.BPF_JMP|unix.BPF_JA, 0, 0, uint32(n))...)
		p.code[at*InstructionSize+3] = 1
	} else {
		p.code[at*InstructionSize+2] = uint8(n)
	}
	p.tree(list[middle:])
}

func (p *program) outcome(r *run) {
	if r.call != nil {
		p.rules(r.call.Rules, r.narrow)
	}
	p.ret(r.action)
}

// program is an array of struct sock_filter under construction.
type program struct{ code []byte }

func (p *program) add(code uint16, jt, jf uint8, k uint32) {
	p.code = append(p.code, instruction(code, jt, jf, k)...)
}

func instruction(code uint16, jt, jf uint8, k uint32) []byte {
	var b [InstructionSize]byte
	binary.NativeEndian.PutUint16(b[:], code)
	b[2], b[3] = jt, jf
	binary.NativeEndian.PutUint32(b[4:], k)
	return b[:]
}

// len returns the number of instructions.
func (p *program) len() int { return len(p.code) / InstructionSize }

func (p *program) load(offset uint32) {
	p.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offset)
}

func (p *program) ret(action uint32) { p.add(unix.BPF_RET|unix.BPF_K, 0, 0, action) }

// when adds a body that is executed if the accumulator is value, and skipped otherwise.
func (p *program) when(value uint32, body []byte) {
	n := len(body) / InstructionSize
	if n <= math.MaxUint8 {
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, uint8(n), value)
	} else {
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 1, 0, value)
		p.add(unix.BPF_JMP|unix.BPF_JA, 0, 0, uint32(n))
	}
	p.code = append(p.code, body...)
}
