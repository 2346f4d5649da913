// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestKernelAnswers makes every system call of the table on every architecture, under a filter
// with a different error for each: so the error shows which rule the kernel has applied. x32 is
// included even if the kernel does not have it, because the filter comes first.
func TestKernelAnswers(t *testing.T) {
	const firstErrno = 1000
	profile := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for _, name := range Archs() {
		profile.Architectures = append(profile.Architectures, specs.Arch(name))
	}
	for i, c := range syscalls.All() {
		profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{
			Names: []string{c.Name}, Action: specs.ActErrno, ErrnoRet: new(uint(firstErrno + i)),
		})
	}
	program, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var calls []asked
	var names []string
	var want []int32
	for i := range syscalls.All() {
		c := &syscalls.All()[i]
		// Since Linux 6.15 filters do not apply to these calls: the kernel itself inserts them
		// into programs as jumps, and anywhere else they end the process.
		if c.Name == "uprobe" || c.Name == "uretprobe" {
			continue
		}
		for j := range syscalls.Runnable() {
			a := &syscalls.Runnable()[j]
			if n, ok := c.Number(a); ok {
				calls = append(calls, asked{narrow: a.Name == "SCMP_ARCH_X86", number: n})
				names = append(names, a.Name+" "+c.Name)
				want = append(want, -int32(firstErrno+i))
			}
		}
	}
	for i, got := range askKernel(t, program, calls) {
		if got != want[i] {
			t.Errorf("%s, number %#x: %v, want %d", names[i], calls[i].number, syscall.Errno(-got), -want[i])
		}
	}
}

// TestKernelNewCalls: a profile that forbids calls newer than the libseccomp of many machines.
func TestKernelNewCalls(t *testing.T) {
	names := []string{
		"statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal",
		"setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
		"file_setattr", "listns", "rseq_slice_yield",
	}
	program, err := Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86},
		Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActErrno, ErrnoRet: new(uint(unix.EXFULL))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var calls []asked
	for n := range uint32(len(names)) {
		calls = append(calls, asked{narrow: false, number: 457 + n}, asked{narrow: true, number: 457 + n})
	}
	for i, got := range askKernel(t, program, calls) {
		if got != -int32(unix.EXFULL) {
			t.Errorf("%s (number %d, int 0x80 %v): %d", names[i/2], calls[i].number, calls[i].narrow, got)
		}
	}
}

// asked is a call of testdata/ask.c.
type asked struct {
	narrow bool
	number uint32
}

// askKernel makes calls under a filter, and returns what each returned.
func askKernel(t *testing.T, p *Program, calls []asked) []int32 {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		missing(t, "gcc")
	}
	exe := filepath.Join(t.TempDir(), "ask")
	if out, err := exec.Command("gcc", "-O1", "-o", exe, "testdata/ask.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in := binary.NativeEndian.AppendUint32(nil, uint32(len(p.BPF)/filter.InstructionSize))
	in = append(in, p.BPF...)
	in = binary.NativeEndian.AppendUint32(in, uint32(len(calls)))
	for _, c := range calls {
		narrow := uint32(0)
		if c.narrow {
			narrow = 1
		}
		in = binary.NativeEndian.AppendUint32(in, narrow)
		in = binary.NativeEndian.AppendUint32(in, c.number)
	}
	cmd := exec.Command(exe)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	results := make([]int32, len(calls))
	if _, err := binary.Decode(out, binary.NativeEndian, results); err != nil {
		t.Fatal(err)
	}
	return results
}
