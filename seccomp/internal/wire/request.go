// SPDX-License-Identifier: Apache-2.0

// Package wire is what package seccomp and the filter compiler say to each
// other: one request on the compiler's standard input, one answer on its
// standard output.
//
//	package seccomp            compiler
//	    Request  ──stdin──▶
//	             ◀──stdout──   Answer, exit status 0
//	             ◀──stderr──   one line of text, exit status 1
//
// It is not a general encoding of profiles: a request is a profile that has been
// checked, with every name of an action or operator turned into a number. Its
// one invariant: equal requests have equal bytes and equal answers, so the bytes
// are fit to be a cache key. That is why nothing of the running kernel is in
// them, and why the compiler asks the kernel nothing.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// requestMagic changes with every change of the layout or the meaning of it.
const requestMagic = "berthsq1"

// errTruncated is what a reader of either message meets at an early end.
var errTruncated = errors.New("message is truncated")

// Op is an operator of an argument check.
type Op uint8

// The operators, in no order that means anything.
const (
	NotEqual Op = iota + 1
	LessThan
	LessOrEqual
	Equal
	GreaterOrEqual
	GreaterThan
	MaskedEqual
)

// Request asks for one filter.
type Request struct {
	// Default is the action of a system call without a rule, as the filter
	// returns it: SECCOMP_RET_* with its data.
	Default uint32
	// Stub asks for ENOSYS for system calls newer than the profile.
	Stub bool
	// Archs are the spec's names of the architectures beside the native one.
	Archs []string
	Rules []Rule
}

// Rule is one rule; all its Args must match.
type Rule struct {
	// Index is the place of the rule in linux.seccomp.syscalls, for errors.
	// One entry may have become several rules.
	Index uint32
	// Action is like Request.Default. One that equals it is no rule for
	// libseccomp, but its names still say how new the profile is.
	Action uint32
	Names  []string
	Args   []Arg
}

// Arg is one check of an argument. For MaskedEqual, Value is the mask and
// ValueTwo what must be left.
type Arg struct {
	Index           uint8
	Op              Op
	Value, ValueTwo uint64
}

// Encode is the request's bytes.
func (r *Request) Encode() []byte {
	b := make([]byte, 0, 16<<10)
	b = append(b, requestMagic...)
	b = binary.AppendUvarint(b, uint64(r.Default))
	b = append(b, boolByte(r.Stub))
	b = appendStrings(b, r.Archs)
	b = binary.AppendUvarint(b, uint64(len(r.Rules)))
	for i := range r.Rules {
		b = r.Rules[i].append(b)
	}
	return b
}

func (r *Rule) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.Index))
	b = binary.AppendUvarint(b, uint64(r.Action))
	b = appendStrings(b, r.Names)
	b = binary.AppendUvarint(b, uint64(len(r.Args)))
	for _, a := range r.Args {
		b = append(b, a.Index, byte(a.Op))
		b = binary.AppendUvarint(b, a.Value)
		b = binary.AppendUvarint(b, a.ValueTwo)
	}
	return b
}

// DecodeRequest is the inverse of Encode.
func DecodeRequest(b []byte) (*Request, error) {
	if len(b) < len(requestMagic) || string(b[:len(requestMagic)]) != requestMagic {
		return nil, errors.New("request: not a request of this version")
	}
	d := decoder{rest: b[len(requestMagic):]}
	r := &Request{Default: d.uint32(), Stub: d.bool(), Archs: d.strings()}
	n := d.count()
	r.Rules = make([]Rule, 0, n)
	for range n {
		r.Rules = append(r.Rules, d.rule())
	}
	if err := d.finish(); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return r, nil
}

func (d *decoder) rule() Rule {
	r := Rule{Index: d.uint32(), Action: d.uint32(), Names: d.strings()}
	n := d.count()
	if n > 0 {
		r.Args = make([]Arg, 0, n)
	}
	for range n {
		a := Arg{Index: d.byte(), Op: Op(d.byte()), Value: d.uvarint(), ValueTwo: d.uvarint()}
		if a.Index > 5 || a.Op < NotEqual || a.Op > MaskedEqual {
			d.fail(fmt.Errorf("rule %d: bad argument check", r.Index))
		}
		r.Args = append(r.Args, a)
	}
	return r
}
