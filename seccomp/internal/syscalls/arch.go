// SPDX-License-Identifier: Apache-2.0

package syscalls

import "slices"

// archs are the architecture names of the runtime-spec, sorted.
var archs = [...]string{
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_MIPS",
	"SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH",
	"SCMP_ARCH_SHEB", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
}

// ArchNames returns the architectures of the runtime-spec, sorted. This machine can run
// programs of only a few of them. For the others a profile needs no rules.
func ArchNames() []string { return archs[:] }

// IsArch reports whether the runtime-spec has an architecture of this name.
func IsArch(name string) bool {
	_, ok := slices.BinarySearch(archs[:], name)
	return ok
}
