// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package seccomp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// libseccomp is used by other runtimes, so it is the reference for numbers and rules by name.
// It is not part of berth.

func libArch(t *testing.T, a *syscalls.Arch) libseccomp.ScmpArch {
	t.Helper()
	lib, err := libseccomp.GetArchFromString(strings.TrimPrefix(a.Name, "SCMP_ARCH_"))
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// TestNumbersAgainstLibseccomp: a name that both know has the same number; one that only
// libseccomp knows is missing in the table. (It does not know the numbers of multiplexed calls,
// and of calls newer than itself.)
func TestNumbersAgainstLibseccomp(t *testing.T) {
	for i := range syscalls.Runnable() {
		a := &syscalls.Runnable()[i]
		lib := libArch(t, a)
		for _, first := range []int{0, syscalls.X32Bit, 0xf0000} {
			for n := first; n < first+700; n++ {
				name, err := libseccomp.ScmpSyscall(n).GetNameByArch(lib)
				if err != nil {
					continue
				}
				if a.Name == "SCMP_ARCH_X32" && n < syscalls.X32Bit {
					continue // it has them without the bit as well
				}
				place := syscalls.Find(name)
				if place < 0 {
					t.Errorf("%s: no system call %s", a.Name, name)
					continue
				}
				if got, ok := syscalls.All()[place].Number(a); !ok || got != uint32(n) {
					t.Errorf("%s: %s is %d, %v; libseccomp has %d", a.Name, name, got, ok, n)
				}
			}
		}
	}
}

// TestRulesAgainstLibseccomp compares the filters for random rules without argument checks, on
// every number.
func TestRulesAgainstLibseccomp(t *testing.T) {
	var names []string
	for _, name := range Syscalls() {
		// Versions before 2.6 do not apply these to x32.
		if slices.Contains([]string{"map_shadow_stack", "uprobe", "uretprobe"}, name) {
			continue
		}
		if _, err := libseccomp.GetSyscallFromName(name); err == nil {
			names = append(names, name)
		}
	}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		// Log as the default, so that no call returns ENOSYS because it is new.
		profile := &specs.LinuxSeccomp{DefaultAction: specs.ActLog}
		for _, a := range syscalls.Runnable()[1:] {
			if r.IntN(2) == 0 {
				profile.Architectures = append(profile.Architectures, specs.Arch(a.Name))
			}
		}
		for range 1 + r.IntN(200) {
			s := specs.LinuxSyscall{Names: []string{names[r.IntN(len(names))]}, Action: specs.ActAllow}
			if r.IntN(3) == 0 {
				s.Action = specs.ActTrap
			}
			profile.Syscalls = append(profile.Syscalls, s)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { compareWithLibrary(t, profile) })
	}
}

func compareWithLibrary(t *testing.T, profile *specs.LinuxSeccomp) {
	ours, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := bpf.Parse(ours.BPF)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := bpf.Parse(libraryFilter(t, profile))
	if err != nil {
		t.Fatal(err)
	}
	numbers := []uint32{0xf0001, 0xf0002, 0xf0005, 0xffffffff}
	for n := range uint32(600) {
		numbers = append(numbers, n, syscalls.X32Bit+n)
	}
	audits := []uint32{0x12345678}
	for _, a := range syscalls.Runnable() {
		audits = append(audits, a.Audit)
	}
	for _, audit := range audits {
		for _, nr := range numbers {
			args := uint64(1)
			if audit == unix.AUDIT_ARCH_I386 && (nr == i386Socketcall || nr == i386IPC) {
				args = 30
			}
			for arg := range args {
				d := &bpf.Data{Number: nr, Arch: audit, Args: [6]uint64{arg}}
				got, err := mine.Run(d)
				if err != nil {
					t.Fatal(err)
				}
				want, err := theirs.Run(d)
				if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Fatalf("arch %#x number %#x argument %d: %#x, libseccomp says %#x", audit, nr, arg, got, want)
				}
			}
		}
	}
}

// libraryFilter returns libseccomp's program for a profile without argument checks.
func libraryFilter(t *testing.T, profile *specs.LinuxSeccomp) []byte {
	t.Helper()
	f, err := libseccomp.NewFilter(libseccomp.ActLog)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	for i := range syscalls.Runnable() {
		a := &syscalls.Runnable()[i]
		for _, name := range profile.Architectures {
			if string(name) == a.Name {
				if err := f.AddArch(libArch(t, a)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	done := make(map[string]bool)
	for _, s := range profile.Syscalls {
		if done[s.Names[0]] {
			continue // the first rule counts
		}
		done[s.Names[0]] = true
		id, err := libseccomp.GetSyscallFromName(s.Names[0])
		if err != nil {
			t.Fatal(err)
		}
		action := libseccomp.ActAllow
		if s.Action == specs.ActTrap {
			action = libseccomp.ActTrap
		}
		if err := f.AddRule(id, action); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "filter")
	defer file.Close()
	if err := f.ExportBPF(file); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(file); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
