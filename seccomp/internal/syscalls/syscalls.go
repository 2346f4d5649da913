// SPDX-License-Identifier: Apache-2.0

// Package syscalls has the names of Linux's system calls, and the number of each on the
// architectures whose programs this machine's kernel can run.
//
// The tables are generated from golang.org/x/sys/unix (go test -update), so that a profile has
// the same meaning wherever berth was built. A library of the build machine would lack system
// calls newer than itself, and so ignore the rules for them.
//
// It does not deal with profiles and does not ask the kernel. On an architecture, a name always
// has at most one number, and a number at most one name.
package syscalls

import (
	"slices"
	"strings"
)

// X32Bit marks the system call numbers of x32 (__X32_SYSCALL_BIT), which has no audit number of
// its own: the kernel reports AUDIT_ARCH_X86_64.
const X32Bit = 0x40000000

// Arch is an architecture whose programs this machine's kernel may run.
type Arch struct {
	// Name is the name in the spec: "SCMP_ARCH_X86_64".
	Name string
	// Audit is the value in struct seccomp_data (AUDIT_ARCH_*).
	Audit uint32
	// Narrow means that only the low 32 bits of arguments are compared: many profiles write -1
	// as 64 ones.
	Narrow bool
	// multiplexes means that it has socketcall(2) and ipc(2).
	multiplexes bool
	// column is the index in Call.numbers.
	column int
}

// Call is a system call.
type Call struct {
	Name string
	// numbers has an element for each of Runnable, none where there is no such call.
	numbers [len(runnable)]int32
}

const none = -1

// Runnable returns the architectures that processes of this machine can have, beginning with
// the native one. There are none if berth has no tables.
func Runnable() []Arch { return runnable[:] }

// All returns the system calls of all architectures, sorted by name.
func All() []Call { return table[:] }

// Find returns the index in All of the system call with the given name, -1 if no architecture
// has it.
func Find(name string) int {
	i, ok := slices.BinarySearchFunc(table[:], name, func(c Call, name string) int {
		return strings.Compare(c.Name, name)
	})
	if !ok {
		return -1
	}
	return i
}

// Number returns the call's own number on an architecture, if it has one.
func (c *Call) Number(a *Arch) (number uint32, ok bool) {
	n := c.numbers[a.column]
	return uint32(n), n != none
}
