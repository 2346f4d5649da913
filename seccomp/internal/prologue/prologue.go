// SPDX-License-Identifier: Apache-2.0

// Package prologue makes the instructions that stand before libseccomp's filter:
// those that answer ENOSYS for system calls newer than the profile, and those
// that check arguments.
//
// It checks arguments because libseccomp gets that wrong. Where several rules of
// one system call meet, 2.5.4 may compare a word of one argument with a value for
// another, and a call passes that no rule allows: with one rule for arg0 > 1 and
// another for arg1 == 5 and arg0 < 9, the call with arg0 = 0 and arg1 = 500 is let
// through. It may also take minutes over a dozen such rules. What is left to it,
// rules by name alone, it does well.
//
// The package knows nothing of names and profiles. Its one invariant: whatever it
// does not decide reaches the filter behind it as if nothing had stood there.
package prologue

import (
	"encoding/binary"
	"math"

	"github.com/berth-run/berth/seccomp/internal/wire"
	"golang.org/x/sys/unix"
)

// Arch is what the prologue does on one architecture.
type Arch struct {
	wire.Arch
	// Known are the numbers of the system calls that the profile names. They
	// are only looked at when there shall be ENOSYS for newer ones.
	Known []uint32
	// Checked are the system calls with argument checks, each number once.
	Checked []Call
}

// Call is a system call whose rules all have argument checks.
type Call struct {
	Number uint32
	// Rules are tried in order. When none matches, the filter behind decides.
	Rules []Rule
}

// Rule is one rule; all its Args must match.
type Rule struct {
	Action uint32
	Args   []wire.Arg
}

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// Prepend puts the instructions before filter, which is an array of struct
// sock_filter. With stub, system calls newer than the profile answer ENOSYS. The
// first architecture should be the one that is used the most.
func Prepend(archs []Arch, stub bool, filter []byte) []byte {
	var p program
	for i := range archs {
		audit := archs[i].Audit
		if i > 0 && seen(archs[:i], audit) {
			continue
		}
		p.arch(audit, archs[i:], stub)
	}
	return append(p.code, filter...)
}

func seen(archs []Arch, audit uint32) bool {
	for i := range archs {
		if archs[i].Audit == audit {
			return true
		}
	}
	return false
}

// arch adds the part for all of archs that the kernel reports as audit: x32
// differs from x86-64 in its numbers alone. Other architectures jump over the
// part.
func (p *program) arch(audit uint32, archs []Arch, stub bool) {
	var body program
	body.load(offNumber)
	empty := body.len()
	for i := range archs {
		if archs[i].Audit == audit && stub {
			body.gaps(archs[i].gaps())
		}
	}
	var toEnd []int
	for i := range archs {
		if archs[i].Audit != audit {
			continue
		}
		for j := range archs[i].Checked {
			toEnd = append(toEnd, body.call(&archs[i].Checked[j], archs[i].narrow()))
		}
	}
	if body.len() == empty {
		return
	}
	for _, at := range toEnd {
		body.setJump(at, body.len())
	}
	p.load(offArch)
	p.when(audit, body.code)
}

// program is an array of struct sock_filter under construction.
type program struct{ code []byte }

func (p *program) add(code uint16, jt, jf uint8, k uint32) {
	p.code = binary.NativeEndian.AppendUint16(p.code, code)
	p.code = append(p.code, jt, jf)
	p.code = binary.NativeEndian.AppendUint32(p.code, k)
}

// len is the number of instructions.
func (p *program) len() int { return len(p.code) / wire.InstructionSize }

func (p *program) load(offset uint32) {
	p.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offset)
}

func (p *program) ret(action uint32) { p.add(unix.BPF_RET|unix.BPF_K, 0, 0, action) }

// jump adds a jump whose target comes later, by setJump.
func (p *program) jump() { p.add(unix.BPF_JMP|unix.BPF_JA, 0, 0, 0) }

// setJump gives the jump that is instruction number at its target.
func (p *program) setJump(at, target int) {
	binary.NativeEndian.PutUint32(p.code[at*wire.InstructionSize+4:], uint32(target-at-1))
}

// when adds a body that runs when the accumulator is value, and is jumped over else.
func (p *program) when(value uint32, body []byte) {
	n := len(body) / wire.InstructionSize
	if n <= math.MaxUint8 {
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, uint8(n), value)
	} else {
		// A conditional jump has eight bits for the distance.
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 1, 0, value)
		p.add(unix.BPF_JMP|unix.BPF_JA, 0, 0, uint32(n))
	}
	p.code = append(p.code, body...)
}
