// SPDX-License-Identifier: Apache-2.0

// Package syscalls knows the system calls of Linux by name: which names there are, and
// the number that each has on the architectures whose programs this machine's kernel can
// run.
//
// The tables are berth's own, made from golang.org/x/sys/unix (go test -update), so
// that a profile means the same wherever berth was built. A library of the build machine
// would leave out what is newer than itself, and with it every rule for that.
//
// It knows nothing of profiles and asks the kernel nothing. Its one invariant: a name has
// one number on an architecture, and a number at most one name.
package syscalls

import (
	"slices"
	"strings"
)

// X32Bit marks the system call numbers of x32, which has no audit number of its
// own: the kernel reports AUDIT_ARCH_X86_64 for it (__X32_SYSCALL_BIT).
const X32Bit = 0x40000000

// Arch is an architecture whose programs a kernel of this one may run.
type Arch struct {
	// Name is the spec's: "SCMP_ARCH_X86_64".
	Name string
	// Audit is what struct seccomp_data has for it (AUDIT_ARCH_*).
	Audit uint32
	// Narrow says that only the low 32 bits of arguments are compared: -1 is written
	// as 64 ones in many a profile.
	Narrow bool
	// multiplexes says that it has socketcall(2) and ipc(2).
	multiplexes bool
	// column is its place in Call.numbers.
	column int
}

// Call is a system call.
type Call struct {
	Name string
	// numbers has one for each of Runnable, none where there is no such call.
	numbers [len(runnable)]int32
}

const none = -1

// Runnable are the architectures that processes of this machine can have. The first is
// the native one. None where berth has no tables.
func Runnable() []Arch { return runnable[:] }

// All are the system calls of any architecture, sorted by name.
func All() []Call { return table[:] }

// Find finds a system call by name: its place in All, and -1 when no architecture has it.
func Find(name string) int {
	i, ok := slices.BinarySearchFunc(table[:], name, func(c Call, name string) int {
		return strings.Compare(c.Name, name)
	})
	if !ok {
		return -1
	}
	return i
}

// Number is the call's own number on an architecture, if it has one there.
func (c *Call) Number(a *Arch) (number uint32, ok bool) {
	n := c.numbers[a.column]
	return uint32(n), n != none
}
