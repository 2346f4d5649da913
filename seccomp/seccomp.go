// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns the seccomp profile of a config.json into the BPF
// program that init loads (runtime-spec config-linux.md, Seccomp; seccomp(2)).
//
//	profile.go    checks, every name of the spec becomes a number
//	compile.go    rules by system call and architecture
//	syscalls      names and numbers
//	filter        the instructions
//
// The package loads no filter and checks nothing about the process that will.
// Its one invariant: a program depends on the profile and on this version of berth alone,
// neither on the running kernel nor on the machine that berth was built on.
package seccomp

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Program is a compiled filter.
type Program struct {
	// BPF is an array of struct sock_filter in the machine's byte order.
	BPF []byte
	// Flags are those of seccomp(2) with SECCOMP_SET_MODE_FILTER.
	Flags uint32
	// Unknown are the names in the profile that are no system call of any architecture
	// that berth knows, each once. Profiles are written for many versions of Linux, so
	// their rules are passed over.
	Unknown []string
	// Unenforced are those of Unknown in a rule that is stricter than the default
	// action: what the profile forbids is let through, should the kernel have it.
	Unenforced []string
}

// NewListener says whether loading the program returns a file descriptor of
// SECCOMP_RET_USER_NOTIF, for the agent at the profile's listenerPath. Flags then
// has SECCOMP_FILTER_FLAG_NEW_LISTENER. A loader that lets the descriptor go makes
// every system call that notifies fail with ENOSYS.
func (p *Program) NewListener() bool {
	return p.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
}

// Notifies says whether a profile has SCMP_ACT_NOTIFY, and so somebody who listens.
// The program of one that has may still notify nobody, if it does so for calls that
// do not exist.
func Notifies(profile *specs.LinuxSeccomp) bool {
	return profile != nil && (profile.DefaultAction == specs.ActNotify ||
		slices.ContainsFunc(profile.Syscalls, func(s specs.LinuxSyscall) bool { return s.Action == specs.ActNotify }))
}

// errNoTable is what a build for a machine without tables says to every profile.
var errNoTable = errors.New("seccomp: berth has no table of this machine's system calls")

// Enabled says whether this binary can compile filters.
func Enabled() bool { return len(syscalls.Runnable()) > 0 }

// Compile compiles a profile. A nil program means that the profile filters nothing.
//
// It takes some 0.1 ms for a profile such as Docker's, so what it makes is not kept
// anywhere: whoever could write there would decide what containers may do.
func Compile(profile *specs.LinuxSeccomp) (*Program, error) {
	if profile == nil || profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
		return nil, nil
	}
	req, err := newRequest(profile)
	if err != nil {
		return nil, err
	}
	flags, err := filterFlags(profile.Flags)
	if err != nil {
		return nil, err
	}
	if !Enabled() {
		return nil, errNoTable
	}
	p, err := req.compile()
	if err != nil {
		return nil, err
	}
	p.Flags = listenerFlags(flags, p.BPF)
	return p, nil
}

// listenerFlags completes flags for a program: a listener when the program has
// an instruction that notifies one, and what is only for listeners otherwise
// removed, since the kernel refuses it alone.
func listenerFlags(flags uint32, bpf []byte) uint32 {
	for ; len(bpf) >= filter.InstructionSize; bpf = bpf[filter.InstructionSize:] {
		code := binary.NativeEndian.Uint16(bpf)
		k := binary.NativeEndian.Uint32(bpf[4:])
		if code == unix.BPF_RET|unix.BPF_K && k&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_USER_NOTIF {
			return flags | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		}
	}
	return flags &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
}
