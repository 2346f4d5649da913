// SPDX-License-Identifier: Apache-2.0

package syscalls

import "golang.org/x/sys/unix"

var runnable = [...]Arch{
	{Name: "SCMP_ARCH_X86_64", Audit: unix.AUDIT_ARCH_X86_64, column: 0},
	{Name: "SCMP_ARCH_X86", Audit: unix.AUDIT_ARCH_I386, Narrow: true, multiplexes: true, column: 1},
	{Name: "SCMP_ARCH_X32", Audit: unix.AUDIT_ARCH_X86_64, Narrow: true, column: 2},
}
