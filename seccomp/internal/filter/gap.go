// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"math"

	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// A profile lists only the system calls that its author knew. With a default of EPERM, a newer
// system call also returns EPERM. A libc that tries the new call first then fails, instead of
// falling back to the old call: clone3, faccessat2 and openat2 have each broken containers this
// way. The kernel numbers system calls upwards, so "newer" means above the highest number that
// the profile names.

const (
	// x32Legacy is the first of the numbers 512-547, which the kernel reserved for x32 in 2012
	// and never adds to. New calls have a number below them, or from 548 on.
	x32Legacy    = syscalls.X32Bit + 512
	x32LegacyEnd = syscalls.X32Bit + 547
	// armPrivate is where ARM's private calls begin (__ARM_NR_BASE). They are old, such as
	// cacheflush, although their numbers are the highest.
	armPrivate = 0x0f0000
)

// retENOSYS is the result for a newer system call.
const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// gap is a range of numbers, both ends included, that are newer than the profile.
type gap struct{ first, last uint32 }

// gaps returns the numbers newer than the profile. If the profile names no call of an
// architecture there are none, because its age is not known.
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
		// From X32Bit on the numbers belong to x32, and a profile without x32 must end there.
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

// highest returns the highest number from first to last, both included.
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
