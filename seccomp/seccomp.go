// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns the seccomp profile of a config.json into the BPF
// program that init loads (runtime-spec config-linux.md, Seccomp; seccomp(2)).
//
// The work is libseccomp's, which is C, and a Go program with cgo starts more
// slowly than one without. So the part that calls libseccomp is a program of its
// own (folder compiler), carried in berth as data, and run only for a profile
// whose program is not in the cache.
//
// The package loads no filter and checks nothing about the process that will.
// Its one invariant: a program depends on the profile and on the compiler alone,
// never on the running kernel, so what was cached is what would be compiled.
package seccomp

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/wire"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Program is a compiled filter.
type Program struct {
	// BPF is an array of struct sock_filter in the machine's byte order.
	BPF []byte
	// Flags are those of seccomp(2) with SECCOMP_SET_MODE_FILTER.
	Flags uint32
	// Unknown are the names in the profile that are no system call that
	// libseccomp knows. They were ignored, as profiles are written for many
	// versions of it: worth a debug message, not more.
	Unknown []string
	// CacheErr says why the cache was not used, or not filled; nil when
	// nothing was wrong with it. The program is good either way.
	CacheErr error
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

// errNoCompiler is what a build without the compiler says to every profile.
var errNoCompiler = errors.New("seccomp: this build has no filter compiler")

// Enabled says whether this binary can compile filters.
func Enabled() bool {
	_, err := openCompiler()
	return err == nil
}

// Compile compiles a profile; cacheDir, if not "", keeps programs by the hash of
// the profile, and is made when it is missing. A nil program means that the
// profile filters nothing.
func Compile(profile *specs.LinuxSeccomp, cacheDir string) (*Program, error) {
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
	c, err := openCompiler()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	answer, cacheErr, err := c.cached(req.Encode(), cacheDir)
	if err != nil {
		return nil, err
	}
	return &Program{
		BPF: answer.BPF, Flags: listenerFlags(flags, answer.BPF),
		Unknown: answer.Unknown, CacheErr: cacheErr,
	}, nil
}

// cached answers a request from the cache, or else from the compiler.
func (c *compiler) cached(request []byte, dir string) (answer *wire.Answer, cacheErr, err error) {
	if dir == "" {
		answer, err = c.compile(request)
		return answer, nil, err
	}
	key := c.entryKey(request)
	answer, cacheErr = loadEntry(dir, key)
	if answer != nil {
		return answer, nil, nil
	}
	answer, err = c.compile(request)
	if err == nil && cacheErr == nil {
		cacheErr = storeEntry(dir, key, answer)
	}
	return answer, cacheErr, err
}

// listenerFlags completes flags for a program: a listener when the program has
// an instruction that notifies one, and what is only for listeners otherwise
// removed, since the kernel refuses it alone.
func listenerFlags(flags uint32, bpf []byte) uint32 {
	for ; len(bpf) >= wire.InstructionSize; bpf = bpf[wire.InstructionSize:] {
		code := binary.NativeEndian.Uint16(bpf)
		k := binary.NativeEndian.Uint32(bpf[4:])
		if code == unix.BPF_RET|unix.BPF_K && k&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_USER_NOTIF {
			return flags | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		}
	}
	return flags &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
}
