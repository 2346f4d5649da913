// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// instruction is the size of struct sock_filter.
const instruction = 8

// maxPlan makes sure that offsets cannot overflow. The kernel accepts only a few megabytes of
// arguments and environment.
const maxPlan = 1 << 30

// encode returns the message of wire.h: a wire.Plan, followed by the data that its spans refer
// to.
//
// joinsPID means that init joins a pid namespace: then it forks, and if the filter cannot be
// loaded later, it does the rest of its work under the filter.
func (p *Plan) encode(joinsPID bool) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	filter := p.Seccomp
	var password uint64
	if joinsPID && !p.NoNewPrivileges && len(filter) > 0 {
		var err error
		if filter, password, err = withPassword(filter); err != nil {
			return nil, err
		}
	}
	e := &encoder{data: make([]byte, unsafe.Sizeof(wire.Plan{}), p.sizeHint())}
	w := wire.Plan{
		Magic: wire.Magic, Version: wire.Version, Flags: p.flags(),
		Bounding: p.Bounding, Effective: p.Effective, Permitted: p.Permitted,
		Inheritable: p.Inheritable, Ambient: p.Ambient,
		UID: p.UID, GID: p.GID, Umask: p.Umask, SeccompFlags: p.SeccompFlags,
		Seccomp: e.align(instruction).bytes(filter, instruction),
		Rlimits: e.align(8).rlimits(p.Rlimits),
		Groups:  e.align(4).groups(p.Groups),
		Hooks:   e.hooks(p.Hooks),
		Cwd:     e.strings("cwd", p.Cwd),
		Args:    e.strings("args", p.Args...),
		Env:     e.strings("env", p.Env...),

		Password: password,
	}
	e.optional(p, &w)
	if e.err != nil {
		return nil, e.err
	}
	if len(e.data) > maxPlan {
		return nil, fmt.Errorf("arguments and environment of %d bytes are too long", len(e.data))
	}
	w.Size = uint32(len(e.data))
	copy(e.data, wire.Bytes(&w))
	return e.data, nil
}

// optional adds the optional parts of a plan.
func (e *encoder) optional(p *Plan, w *wire.Plan) {
	for _, s := range [...]struct {
		field, value string
		span         *wire.Span
	}{
		{"keyring", p.Keyring, &w.Keyring},
		{"path", p.Path, &w.Path},
		{"AppArmor profile", p.AppArmor, &w.Apparmor},
		{"SELinux label", p.SELinux, &w.Selinux},
	} {
		if s.value != "" {
			*s.span = e.strings(s.field, s.value)
		}
	}
	if p.Personality != nil {
		w.Personality = *p.Personality
	}
	if m := p.MemoryPolicy; m != nil {
		w.MemoryPolicy = m.Mode
		w.MemoryNodes = e.align(8).words(m.Nodes)
	}
}

// check refuses what init would refuse with a less clear error.
func (p *Plan) check() error {
	switch {
	case len(p.Args) == 0:
		return errors.New("args must not be empty")
	case !strings.HasPrefix(p.Cwd, "/"):
		return fmt.Errorf("cwd %q is not absolute", p.Cwd)
	case len(p.Seccomp)%instruction != 0 || len(p.Seccomp)/instruction > math.MaxUint16:
		return fmt.Errorf("seccomp filter of %d bytes is not a BPF program", len(p.Seccomp))
	case p.AtOnce && p.Fifos != nil:
		return errors.New("to exec at once and to wait on a fifo exclude each other")
	case p.notifies() != (p.Listener != nil):
		return errors.New("a seccomp filter that notifies and a listener come together")
	}
	return nil
}

// notifies reports whether loading the filter creates a listener.
func (p *Plan) notifies() bool {
	return len(p.Seccomp) > 0 && p.SeccompFlags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
}

// waits reports whether a child in a joined pid namespace must wait before it goes on, because
// its program may have to be prevented.
func (p *Plan) waits() bool { return p.Born != nil || p.Listener != nil }

func (p *Plan) flags() uint32 {
	var flags uint32
	for _, f := range [...]struct {
		set  bool
		flag uint32
	}{
		{p.NoNewPrivileges, wire.NoNewPrivs},
		{p.NewSession, wire.NewSession},
		{p.SetGroups, wire.SetGroups},
		{p.KeepCredentials, wire.KeepCredentials},
		{p.Keyring != "", wire.Keyring},
		{p.Personality != nil, wire.Personality},
		{p.MemoryPolicy != nil, wire.MemoryPolicy},
		{p.AtOnce, wire.AtOnce},
		{p.waits(), wire.AwaitGo},
		{p.ListenPID, wire.ListenPid},
		{p.OwnStreams[0], wire.OwnStdin},
		{p.OwnStreams[1], wire.OwnStdout},
		{p.OwnStreams[2], wire.OwnStderr},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	return flags
}

// sizeHint returns the approximate size of the message, so that it is allocated once.
func (p *Plan) sizeHint() int {
	n := int(unsafe.Sizeof(wire.Plan{})) + len(p.Seccomp) + 4*len(p.Groups) + len(p.Cwd) + len(p.Keyring) + 64
	for _, s := range p.Args {
		n += len(s) + 1
	}
	for _, s := range p.Env {
		n += len(s) + 1
	}
	return n
}

// encoder appends the parts of the plan, and keeps the first error.
type encoder struct {
	data []byte
	err  error
}

func (e *encoder) align(to int) *encoder {
	for len(e.data)%to != 0 {
		e.data = append(e.data, 0)
	}
	return e
}

// bytes appends an array whose elements have the given size.
func (e *encoder) bytes(b []byte, element int) wire.Span {
	s := wire.Span{Offset: uint32(len(e.data)), Size: uint32(len(b)), Count: uint32(len(b) / element)}
	e.data = append(e.data, b...)
	return s
}

func (e *encoder) groups(groups []uint32) wire.Span {
	return e.bytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(groups))), 4*len(groups)), 4)
}

func (e *encoder) words(words []uint64) wire.Span {
	return e.bytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words)), 8)
}

// strings appends strings. field is their name in errors. A NUL byte is refused: it would split
// a string in two and shift all the following ones.
func (e *encoder) strings(field string, list ...string) wire.Span {
	s := wire.Span{Offset: uint32(len(e.data)), Count: uint32(len(list))}
	for n, v := range list {
		if strings.IndexByte(v, 0) >= 0 && e.err == nil {
			e.err = fmt.Errorf("%s[%d]: string with a NUL byte", field, n)
		}
		e.data = append(append(e.data, v...), 0)
	}
	s.Size = uint32(len(e.data)) - s.Offset
	return s
}

// rlimits appends the limits.
func (e *encoder) rlimits(limits []Rlimit) wire.Span {
	s := wire.Span{Offset: uint32(len(e.data)), Count: uint32(len(limits))}
	for _, l := range limits {
		e.data = append(e.data, wire.Bytes(&wire.Rlimit{Resource: uint64(l.Resource), Soft: l.Soft, Hard: l.Hard})...)
	}
	s.Size = uint32(len(e.data)) - s.Offset
	return s
}

// hooks appends the hooks: first their strings, then the array.
func (e *encoder) hooks(hooks []Hook) wire.Span {
	list := make([]wire.Hook, len(hooks))
	for n := range hooks {
		h := &hooks[n]
		args := h.Args
		if len(args) == 0 {
			args = []string{h.Path}
		}
		if (h.TimeoutSeconds < 0 || h.TimeoutSeconds > math.MaxInt32) && e.err == nil {
			e.err = fmt.Errorf("hook %s: timeout of %d seconds", h.Path, h.TimeoutSeconds)
		}
		list[n] = wire.Hook{
			Timeout: uint32(h.TimeoutSeconds),
			Path:    e.strings("hook path", h.Path),
			Args:    e.strings("hook args", args...),
			Env:     e.strings("hook env", h.Env...),
		}
	}
	e.align(4)
	s := wire.Span{Offset: uint32(len(e.data)), Count: uint32(len(list))}
	for n := range list {
		e.data = append(e.data, wire.Bytes(&list[n])...)
	}
	s.Size = uint32(len(e.data)) - s.Offset
	return s
}
