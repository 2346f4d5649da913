// SPDX-License-Identifier: Apache-2.0

package syscalls

import "golang.org/x/sys/unix"

var runnable = [...]Arch{
	{Name: "SCMP_ARCH_AARCH64", Audit: unix.AUDIT_ARCH_AARCH64, column: 0},
	{Name: "SCMP_ARCH_ARM", Audit: unix.AUDIT_ARCH_ARM, Narrow: true, column: 1},
}
