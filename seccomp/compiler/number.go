// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/seccomp/internal/wire"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// arch is an architecture in both worlds.
type arch struct {
	wire.Arch
	lib libseccomp.ScmpArch
	// direct are the numbers of calls that also go through a multiplexer; nil
	// until it is needed.
	direct map[string]uint32
}

// libName is libseccomp's name of an architecture of the spec.
func libName(spec string) string { return strings.TrimPrefix(spec, "SCMP_ARCH_") }

// findArchs are the native architecture and the listed ones.
func findArchs(names []string) ([]arch, error) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return nil, fmt.Errorf("libseccomp: native architecture: %w", err)
	}
	var archs []arch
	for _, a := range wire.Archs() {
		if lib, err := libseccomp.GetArchFromString(libName(a.Name)); err == nil && lib == native {
			archs = append(archs, arch{Arch: a, lib: lib})
		}
	}
	for _, name := range names {
		a, ok := wire.FindArch(name)
		lib, err := libseccomp.GetArchFromString(libName(name))
		if !ok || err != nil {
			return nil, fmt.Errorf("linux.seccomp.architectures: libseccomp does not know %s", name)
		}
		if lib != native {
			archs = append(archs, arch{Arch: a, lib: lib})
		}
	}
	return archs, nil
}

// number is where an architecture has a system call. Old ones have the calls of
// sockets and System V IPC as socketcall(2) and ipc(2) with the call as the first
// argument, and most have got numbers of their own for them since: both are open
// to a program.
type number struct {
	// own is the call's own number, if it has one.
	own    uint32
	hasOwn bool
	// multiplexer is the number of socketcall or ipc, if the call goes through
	// one, and call the first argument then.
	multiplexer     uint32
	call            uint64
	multiplexerName string
}

// libseccomp's own numbers for calls that go through a multiplexer: these less
// the number of the call. Below them are those that an architecture lacks.
const (
	pseudoSocketcall = -100
	pseudoIPC        = -200
	pseudoOther      = -300
)

// find finds a system call by name.
func (a *arch) find(name string) number {
	n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
	switch {
	case err != nil || n <= pseudoOther:
		return number{}
	case n >= 0:
		return number{own: uint32(n), hasOwn: true}
	case n > pseudoSocketcall:
		return number{}
	}
	out := number{call: uint64(pseudoSocketcall - n), multiplexerName: "socketcall"}
	if n <= pseudoIPC {
		out = number{call: uint64(pseudoIPC - n), multiplexerName: "ipc"}
	}
	m, err := libseccomp.GetSyscallFromNameByArch(out.multiplexerName, a.lib)
	if err != nil || m < 0 {
		// An architecture without multiplexers that lacks this one call.
		return number{}
	}
	out.multiplexer = uint32(m)
	out.own, out.hasOwn = a.directNumber(name)
	return out
}

// directNumber is a multiplexed call's own number. libseccomp keeps it to itself
// when asked for the name, but tells the name when asked for the number.
func (a *arch) directNumber(name string) (uint32, bool) {
	// 403 was the first number after all of them (Linux 5.1).
	const first, end = 280, 403
	if a.direct == nil {
		a.direct = make(map[string]uint32)
		for n := uint32(first); n < end; n++ {
			if name, err := libseccomp.ScmpSyscall(n).GetNameByArch(a.lib); err == nil {
				a.direct[name] = n
			}
		}
	}
	n, ok := a.direct[name]
	return n, ok
}
