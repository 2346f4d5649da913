// SPDX-License-Identifier: Apache-2.0

// Package seccomp compiles the seccomp profile of a config.json to the BPF program that init
// loads (runtime-spec config-linux.md, Seccomp; seccomp(2)).
//
//	profile.go    checks, every name of the spec becomes a number
//	compile.go    rules by system call and architecture
//	syscalls      names and numbers
//	filter        the instructions
//
// The package does not load filters. A program depends only on the profile and on this version
// of berth, never on the running kernel or on the machine that berth was built on.
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
	// Unknown are the names in the profile that are not system calls of any architecture that
	// berth knows, each once. Profiles are written for many versions of Linux, so their rules
	// are ignored.
	Unknown []string
	// Unenforced are those of Unknown in a rule that is stricter than the default action: if
	// the kernel has such a call, the filter allows what the profile forbids.
	Unenforced []string
}

// NewListener reports whether loading the program returns a file descriptor for
// SECCOMP_RET_USER_NOTIF, for the agent at the profile's listenerPath. Flags then has
// SECCOMP_FILTER_FLAG_NEW_LISTENER. If the descriptor is closed, every system call that
// notifies fails with ENOSYS.
func (p *Program) NewListener() bool {
	return p.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
}

// Notifies reports whether a profile has SCMP_ACT_NOTIFY, and so needs a listener. Its program
// may still notify nobody, if the profile notifies only for calls that do not exist.
func Notifies(profile *specs.LinuxSeccomp) bool {
	return profile != nil && (profile.DefaultAction == specs.ActNotify ||
		slices.ContainsFunc(profile.Syscalls, func(s specs.LinuxSyscall) bool { return s.Action == specs.ActNotify }))
}

// errNoTable is the error for every profile in a build for an architecture without tables.
var errNoTable = errors.New("seccomp: berth has no table of this machine's system calls")

// Enabled reports whether this binary can compile filters.
func Enabled() bool { return len(syscalls.Runnable()) > 0 }

// Errors returns all that is wrong in a profile, of which Compile returns the first.
func Errors(profile *specs.LinuxSeccomp) []error {
	if profile == nil || profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
		return nil
	}
	_, errs := checkProfile(profile)
	if _, err := filterFlags(profile.Flags); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		if _, err := Compile(profile); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Compile compiles a profile. A nil program means that the profile filters nothing.
//
// It takes about 0.1 ms for a profile such as Docker's, so the result is not cached: whoever
// could write to a cache would decide what containers may do.
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

// listenerFlags completes flags for a program. If an instruction of the program notifies a
// listener, it adds the flag for one. Otherwise it removes the flags that are only for
// listeners, because the kernel refuses them without one.
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
