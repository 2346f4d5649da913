// SPDX-License-Identifier: Apache-2.0

// Package enosys makes the few instructions that stand before a filter and
// answer ENOSYS for system calls newer than the profile.
//
// A profile is a list of what its author knew. With a default of EPERM, a system
// call that came later answers EPERM too, and a libc that tries the new call
// first takes that for a final no instead of falling back to the old call:
// clone3, faccessat2 and openat2 have each broken containers this way. The kernel
// numbers system calls upwards, so "newer" is what lies above the highest number
// that the profile names.
package enosys

import (
	"encoding/binary"
	"math"

	"github.com/berth-run/berth/seccomp/internal/wire"
	"golang.org/x/sys/unix"
)

const (
	// x32Legacy is the first of the numbers 512-547, which the kernel set aside
	// for x32 in 2012 and never adds to; what is new has a number below them,
	// or from 548 on.
	x32Legacy    = wire.X32Bit + 512
	x32LegacyEnd = wire.X32Bit + 547
	// armPrivate is where ARM's private calls start (__ARM_NR_BASE): old ones
	// such as cacheflush, though their numbers are the highest of all.
	armPrivate = 0x0f0000
)

// gap is a run of numbers, both ends included, that are newer than the profile.
type gap struct{ first, last uint32 }

// Known are the numbers of the system calls that a profile names on one
// architecture.
type Known struct {
	Arch    wire.Arch
	Numbers []uint32
}

// gaps are the numbers newer than the profile. An architecture of which the
// profile names nothing has none: there is nothing to say how old it is.
func (k *Known) gaps() []gap {
	switch k.Arch.Name {
	case "SCMP_ARCH_X32":
		low, okLow := k.highest(wire.X32Bit, x32Legacy-1)
		high, okHigh := k.highest(x32Legacy, math.MaxUint32)
		var g []gap
		if okLow {
			g = appendGap(g, low, x32Legacy-1)
		}
		if okLow || okHigh {
			g = appendGap(g, max(high, x32LegacyEnd), math.MaxUint32)
		}
		return g
	case "SCMP_ARCH_X86_64":
		// From X32Bit on it is x32: a profile without that must end at
		// libseccomp's check of the architecture.
		return k.above(wire.X32Bit - 1)
	case "SCMP_ARCH_ARM":
		return k.above(armPrivate - 1)
	default:
		return k.above(math.MaxUint32)
	}
}

func (k *Known) above(last uint32) []gap {
	n, ok := k.highest(0, last)
	if !ok {
		return nil
	}
	return appendGap(nil, n, last)
}

// highest is the highest number from first to last, both included.
func (k *Known) highest(first, last uint32) (n uint32, ok bool) {
	for _, v := range k.Numbers {
		if v >= first && v <= last && (!ok || v > n) {
			n, ok = v, true
		}
	}
	return n, ok
}

func appendGap(g []gap, after, last uint32) []gap {
	if after >= last {
		return g
	}
	return append(g, gap{after + 1, last})
}

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
)

// retENOSYS is the action of the stub.
const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// Prepend puts the instructions before filter, which is an array of struct
// sock_filter. The first of known should be the one that is used the most.
func Prepend(known []Known, filter []byte) []byte {
	var p program
	for i := range known {
		audit := known[i].Arch.Audit
		if seen(known[:i], audit) {
			continue
		}
		var g []gap
		for j := i; j < len(known); j++ {
			if known[j].Arch.Audit == audit {
				g = append(g, known[j].gaps()...)
			}
		}
		p.arch(audit, g)
	}
	return append(p.code, filter...)
}

func seen(known []Known, audit uint32) bool {
	for i := range known {
		if known[i].Arch.Audit == audit {
			return true
		}
	}
	return false
}

// program is an array of struct sock_filter under construction.
type program struct{ code []byte }

// arch adds the part for one architecture. Whatever does not end in the stub
// falls through to what follows; the later parts then compare the architecture
// in vain, which is cheaper than it sounds: the kernel decides once for each
// number, at load, whether a filter always allows it, and then never runs it.
func (p *program) arch(audit uint32, gaps []gap) {
	if len(gaps) == 0 {
		return
	}
	var body program
	body.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offNumber)
	for _, g := range gaps {
		if g.last == math.MaxUint32 {
			body.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 1, g.first)
		} else {
			body.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 2, g.first)
			body.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, 1, 0, g.last)
		}
		body.add(unix.BPF_RET|unix.BPF_K, 0, 0, retENOSYS)
	}
	p.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offArch)
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, body.len(), audit)
	p.code = append(p.code, body.code...)
}

func (p *program) add(code uint16, jt, jf uint8, k uint32) {
	p.code = binary.NativeEndian.AppendUint16(p.code, code)
	p.code = append(p.code, jt, jf)
	p.code = binary.NativeEndian.AppendUint32(p.code, k)
}

// len is the number of instructions: at most seven, so that a jump over them
// fits its eight bits.
func (p *program) len() uint8 { return uint8(len(p.code) / wire.InstructionSize) }
