// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newerCalls are the system calls from number 457 on, in this order. libseccomp 2.5 does not know
// them.
var newerCalls = []string{
	"statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal",
	"setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
	"file_setattr", "listns", "rseq_slice_yield",
}

// forbidCalls returns a profile that allows everything except names.
func forbidCalls(names ...string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: names, Action: specs.ActErrno, ErrnoRet: new(uint(unix.EXFULL))}},
	}
}

// TestSeccompNewerCalls: system calls that are newer than libseccomp on many machines can be
// forbidden.
func TestSeccompNewerCalls(t *testing.T) {
	c := newContainer(t)
	buildProbe(c)
	c.spec.Linux.Seccomp = forbidCalls(newerCalls...)
	c.args("/probe")
	answers := parseProbe(t, c.output())
	for i, name := range newerCalls {
		want(t, name, answers[fmt.Sprint(457+i)], fmt.Sprintf("errno %d", unix.EXFULL))
	}
}

// TestSeccompUnknownCall: an unknown name is ignored, with a warning if the rule would forbid
// something.
func TestSeccompUnknownCall(t *testing.T) {
	for name, test := range map[string]struct {
		profile *specs.LinuxSeccomp
		warned  bool
	}{
		"stricter":                {forbidCalls("from_the_future", "mkdir"), true},
		"same":                    {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"from_the_future"}, Action: specs.ActAllow}}}, false},
		"of another architecture": {forbidCalls("s390_pci_mmio_read"), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			c.spec.Linux.Seccomp = test.profile
			c.args("true")
			log := c.path("log")
			c.write()
			c.command("--log", log, "run", "--bundle", c.dir, c.id).must()
			text := readFile(t, log)
			if got := strings.Contains(text, "warning") && strings.Contains(text, "from_the_future"); got != test.warned {
				t.Errorf("warned %v, the log is %q", got, text)
			}
		})
	}
}

// TestSeccompFailUnknownCall: with crun's annotation it is an error that names the call.
func TestSeccompFailUnknownCall(t *testing.T) {
	for value, refused := range map[string]bool{"1": true, "0": false} {
		c := newContainer(t)
		c.spec.Linux.Seccomp = forbidCalls("from_the_future", "s390_pci_mmio_read")
		c.spec.Annotations = map[string]string{"run.oci.seccomp_fail_unknown_syscall": value}
		c.args("true")
		r := c.run()
		if (r.status != 0) != refused || refused && !strings.Contains(r.stderr, "from_the_future") || strings.Contains(r.stderr, "s390") {
			t.Errorf("%s: status %d, %q", value, r.status, r.stderr)
		}
	}
}

// TestSeccompEveryArchitecture: all architectures in the spec, most of which no process on this
// machine can use.
func TestSeccompEveryArchitecture(t *testing.T) {
	c := newContainer(t)
	c.spec.Linux.Seccomp = forbidCalls("mkdir", "mkdirat")
	for _, name := range []string{
		"X86_64", "X86", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32",
		"PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64", "LOONGARCH64", "M68K", "SH", "SHEB",
	} {
		c.spec.Linux.Seccomp.Architectures = append(c.spec.Linux.Seccomp.Architectures, specs.Arch("SCMP_ARCH_"+name))
	}
	c.sh("mkdir /new 2>&1; true")
	if out := c.output(); !strings.Contains(out, "xchange full") {
		t.Errorf("mkdir: %q", out)
	}
}
