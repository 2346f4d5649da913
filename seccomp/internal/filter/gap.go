// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"math"

	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// A profile is a list of what its author knew. With a default of EPERM, a system
// call that came later answers EPERM too, and a libc that tries the new call
// first takes that for a final no instead of falling back to the old call:
// clone3, faccessat2 and openat2 have each broken containers this way. The kernel
// numbers system calls upwards, so "newer" is what lies above the highest number
// that the profile names.

const (
	// x32Legacy is the first of the numbers 512-547, which the kernel set aside
	// for x32 in 2012 and never adds to; what is new has a number below them,
	// or from 548 on.
	x32Legacy    = syscalls.X32Bit + 512
	x32LegacyEnd = syscalls.X32Bit + 547
	// armPrivate is where ARM's private calls start (__ARM_NR_BASE): old ones
	// such as cacheflush, though their numbers are the highest of all.
	armPrivate = 0x0f0000
)

// retENOSYS is what a newer system call gets.
const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// gap is a run of numbers, both ends included, that are newer than the profile.
type gap struct{ first, last uint32 }

// gaps are the numbers newer than the profile. An architecture of which the
// profile names nothing has none: there is nothing to say how old it is.
func (a *Arch) gaps() []gap {
	switch a.Name {
	case "SCMP_ARCH_X32":
		low, okLow := a.highest(syscalls.X32Bit, x32Legacy-1)
		high, okHigh := a.highest(x32Legacy, math.MaxUint32)
		var g []gap
		if okLow {
			g = appendGap(g, low, x32Legacy-1)
		}
		if okLow || okHigh {
			g = appendGap(g, max(high, x32LegacyEnd), math.MaxUint32)
		}
		return g
	case "SCMP_ARCH_X86_64":
		// From X32Bit on it is x32: a profile without that must end there.
		return a.above(syscalls.X32Bit - 1)
	case "SCMP_ARCH_ARM":
		return a.above(armPrivate - 1)
	default:
		return a.above(math.MaxUint32)
	}
}

func (a *Arch) above(last uint32) []gap {
	n, ok := a.highest(0, last)
	if !ok {
		return nil
	}
	return appendGap(nil, n, last)
}

// highest is the highest number from first to last, both included.
func (a *Arch) highest(first, last uint32) (n uint32, ok bool) {
	for _, v := range a.Known {
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
