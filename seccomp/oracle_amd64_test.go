// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// abi is one of the three sets of system calls of an x86-64 kernel.
type abi struct {
	spec    specs.Arch
	audit   uint32
	wide    bool // arguments are compared in 64 bits, not 32
	numbers map[string]uint32
}

// kernelABIs reads the system call numbers from the kernel's own headers, so that
// berth's tables are not checked against themselves.
func kernelABIs(t *testing.T) []abi {
	t.Helper()
	return []abi{
		{specs.ArchX86_64, unix.AUDIT_ARCH_X86_64, true, readNumbers(t, "unistd_64.h")},
		{specs.ArchX86, unix.AUDIT_ARCH_I386, false, readNumbers(t, "unistd_32.h")},
		{specs.ArchX32, unix.AUDIT_ARCH_X86_64, false, readNumbers(t, "unistd_x32.h")},
	}
}

func readNumbers(t *testing.T, header string) map[string]uint32 {
	t.Helper()
	var f *os.File
	for _, dir := range []string{"/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"} {
		var err error
		if f, err = os.Open(filepath.Join(dir, header)); err == nil {
			break
		}
	}
	if f == nil {
		missing(t, "the kernel's headers (Debian: linux-libc-dev)")
	}
	defer f.Close()
	line := regexp.MustCompile(`^#define __NR_(\w+) \(?(__X32_SYSCALL_BIT \+ )?(\d+)\)?$`)
	numbers := make(map[string]uint32)
	for name, n := range recentNumbers {
		if header == "unistd_x32.h" {
			n += x32
		}
		numbers[name] = n
	}
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		n, err := strconv.ParseUint(m[3], 10, 31)
		if err != nil {
			t.Fatal(err)
		}
		if m[2] != "" {
			n |= x32
		}
		numbers[m[1]] = uint32(n)
	}
	if len(numbers) < 300 {
		t.Fatalf("%s: only %d numbers found", header, len(numbers))
	}
	return numbers
}

const x32 = 0x40000000

// recentNumbers are numbers for which a distribution's headers may be too old. All
// architectures have the same ones since Linux 5.1.
var recentNumbers = map[string]uint32{
	"cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455,
	"futex_requeue": 456, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459, "lsm_set_self_attr": 460,
	"lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465,
	"removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469, "listns": 470,
	"rseq_slice_yield": 471,
}

// oracle implements the meaning of a profile as simply as possible.
type oracle struct {
	profile *specs.LinuxSeccomp
	abis    []abi
}

func (o *oracle) abiOf(d *bpf.Data) *abi {
	for i := range o.abis {
		a := &o.abis[i]
		if a.audit == d.Arch && (a.spec == specs.ArchX32) == (d.Arch == unix.AUDIT_ARCH_X86_64 && d.Number >= x32) {
			return a
		}
	}
	return nil
}

// action returns the required result of the filter for d.
func (o *oracle) action(d *bpf.Data) uint32 {
	def := o.ret(o.profile.DefaultAction, o.profile.DefaultErrnoRet)
	a := o.abiOf(d)
	if a == nil || a.spec != specs.ArchX86_64 && !slices.Contains(o.profile.Architectures, a.spec) {
		if d.Arch == unix.AUDIT_ARCH_X86_64 && d.Number == ^uint32(0) {
			// The number with which a tracer skips a call does not belong to x32.
			return def
		}
		return unix.SECCOMP_RET_KILL_THREAD
	}
	if o.newer(a, d.Number) && wantsENOSYS(o.profile.DefaultAction) {
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	// A rule without checks overrides all rules with checks.
	for _, checked := range []bool{false, true} {
		for i := range o.profile.Syscalls {
			s := &o.profile.Syscalls[i]
			ret := o.ret(s.Action, s.ErrnoRet)
			if ret != def && checked == (len(s.Args) > 0) && o.names(a, s, d.Number) && a.match(s.Args, d) {
				return ret
			}
		}
	}
	return def
}

func (o *oracle) names(a *abi, s *specs.LinuxSyscall, nr uint32) bool {
	return slices.ContainsFunc(s.Names, func(name string) bool {
		n, ok := a.numbers[name]
		return ok && n == nr
	})
}

// newer reports whether nr is newer than the profile.
func (o *oracle) newer(a *abi, nr uint32) bool {
	var highest, highestCommon uint32
	none := true
	for i := range o.profile.Syscalls {
		for _, name := range o.profile.Syscalls[i].Names {
			if n, ok := a.numbers[name]; ok {
				none = false
				highest = max(highest, n)
				if n < x32+512 {
					highestCommon = max(highestCommon, n)
				}
			}
		}
	}
	if none {
		return false
	}
	if a.spec == specs.ArchX32 && nr < x32+548 {
		return nr < x32+512 && highestCommon != 0 && nr > highestCommon
	}
	return nr > highest
}

func wantsENOSYS(def specs.LinuxSeccompAction) bool {
	return def != specs.ActAllow && def != specs.ActLog && def != specs.ActTrace && def != specs.ActNotify
}

func (o *oracle) ret(a specs.LinuxSeccompAction, errno *uint) uint32 {
	code := uint32(unix.EPERM)
	if errno != nil {
		code = uint32(*errno)
	}
	switch a {
	case specs.ActAllow:
		return 0x7fff0000
	case specs.ActLog:
		return 0x7ffc0000
	case specs.ActTrace:
		return 0x7ff00000 | code
	case specs.ActNotify:
		return 0x7fc00000
	case specs.ActErrno:
		return 0x00050000 | code
	case specs.ActTrap:
		return 0x00030000
	case specs.ActKill, specs.ActKillThread:
		return 0
	case specs.ActKillProcess:
		return 0x80000000
	}
	panic("unknown action " + a)
}

// match reports whether the checks succeed: all of them, or one of them if an argument is
// checked twice.
func (a *abi) match(checks []specs.LinuxSeccompArg, d *bpf.Data) bool {
	if len(checks) == 0 {
		return true
	}
	seen := make(map[uint]bool)
	twice := false
	for _, c := range checks {
		twice = twice || seen[c.Index]
		seen[c.Index] = true
	}
	for _, c := range checks {
		if holds := a.holds(&c, d); holds == twice {
			return twice
		}
	}
	return !twice
}

func (a *abi) holds(c *specs.LinuxSeccompArg, d *bpf.Data) bool {
	arg, value, two := d.Args[c.Index], c.Value, c.ValueTwo
	if !a.wide {
		arg, value, two = uint64(uint32(arg)), uint64(uint32(value)), uint64(uint32(two))
	}
	switch c.Op {
	case specs.OpNotEqual:
		return arg != value
	case specs.OpLessThan:
		return arg < value
	case specs.OpLessEqual:
		return arg <= value
	case specs.OpEqualTo:
		return arg == value
	case specs.OpGreaterEqual:
		return arg >= value
	case specs.OpGreaterThan:
		return arg > value
	case specs.OpMaskedEqual:
		return arg&value == two&value
	}
	panic("unknown operator " + c.Op)
}
