// SPDX-License-Identifier: Apache-2.0

package wire

import "golang.org/x/sys/unix"

// X32Bit marks the system call numbers of x32, which has no audit number of its
// own: the kernel reports AUDIT_ARCH_X86_64 for it (__X32_SYSCALL_BIT).
const X32Bit = 0x40000000

// Arch is an architecture of the spec's list.
type Arch struct {
	// Name is the spec's: "SCMP_ARCH_X86_64".
	Name string
	// Audit is what struct seccomp_data has for it (AUDIT_ARCH_*).
	Audit uint32
	// Since is the first libseccomp to know it, major*1000 + minor.
	Since int
}

// archs is the spec's list. libseccomp 2.5 is the oldest that anyone ships.
var archs = [...]Arch{
	{"SCMP_ARCH_AARCH64", unix.AUDIT_ARCH_AARCH64, 2005},
	{"SCMP_ARCH_ARM", unix.AUDIT_ARCH_ARM, 2005},
	{"SCMP_ARCH_LOONGARCH64", unix.AUDIT_ARCH_LOONGARCH64, 2006},
	{"SCMP_ARCH_M68K", unix.AUDIT_ARCH_M68K, 2006},
	{"SCMP_ARCH_MIPS", unix.AUDIT_ARCH_MIPS, 2005},
	{"SCMP_ARCH_MIPS64", unix.AUDIT_ARCH_MIPS64, 2005},
	{"SCMP_ARCH_MIPS64N32", unix.AUDIT_ARCH_MIPS64N32, 2005},
	{"SCMP_ARCH_MIPSEL", unix.AUDIT_ARCH_MIPSEL, 2005},
	{"SCMP_ARCH_MIPSEL64", unix.AUDIT_ARCH_MIPSEL64, 2005},
	{"SCMP_ARCH_MIPSEL64N32", unix.AUDIT_ARCH_MIPSEL64N32, 2005},
	{"SCMP_ARCH_PARISC", unix.AUDIT_ARCH_PARISC, 2005},
	{"SCMP_ARCH_PARISC64", unix.AUDIT_ARCH_PARISC64, 2005},
	{"SCMP_ARCH_PPC", unix.AUDIT_ARCH_PPC, 2005},
	{"SCMP_ARCH_PPC64", unix.AUDIT_ARCH_PPC64, 2005},
	{"SCMP_ARCH_PPC64LE", unix.AUDIT_ARCH_PPC64LE, 2005},
	{"SCMP_ARCH_RISCV64", unix.AUDIT_ARCH_RISCV64, 2005},
	{"SCMP_ARCH_S390", unix.AUDIT_ARCH_S390, 2005},
	{"SCMP_ARCH_S390X", unix.AUDIT_ARCH_S390X, 2005},
	{"SCMP_ARCH_SH", unix.AUDIT_ARCH_SHEL, 2006},
	{"SCMP_ARCH_SHEB", unix.AUDIT_ARCH_SH, 2006},
	{"SCMP_ARCH_X32", unix.AUDIT_ARCH_X86_64, 2005},
	{"SCMP_ARCH_X86", unix.AUDIT_ARCH_I386, 2005},
	{"SCMP_ARCH_X86_64", unix.AUDIT_ARCH_X86_64, 2005},
}

// Archs is the spec's list, sorted by name.
func Archs() []Arch { return archs[:] }

// FindArch finds an architecture by its name in the spec.
func FindArch(name string) (Arch, bool) {
	for _, a := range archs {
		if a.Name == name {
			return a, true
		}
	}
	return Arch{}, false
}
