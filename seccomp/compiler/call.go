// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import (
	"strings"

	"github.com/berth-run/berth/seccomp/internal/prologue"
	"github.com/berth-run/berth/seccomp/internal/wire"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// call is all that a profile has on one system call.
type call struct {
	name string
	id   libseccomp.ScmpSyscall
	// index is the place in the profile of the rule that decides always.
	index uint32
	// always says that a rule without argument checks decides, by action. It
	// hides every rule with checks, before or after it, and every later one
	// without: so libseccomp has it, and profiles are written for that.
	always bool
	action uint32
	// rules are those with checks.
	rules []prologue.Rule
}

// collect sorts the request's rules by system call, in the order in which they
// are first named.
func (c *compilation) collect() {
	byName := make(map[string]*call)
	for i := range c.req.Rules {
		r := &c.req.Rules[i]
		for _, name := range r.Names {
			call, seen := byName[name]
			if !seen {
				call = c.newCall(name)
				byName[name] = call
			}
			// A rule with the default action is no rule, but that it has a name
			// says how new the profile is.
			if call != nil && r.Action != c.req.Default {
				call.add(r)
			}
		}
	}
}

// newCall notes a system call, or an unknown name, for which it returns nil.
func (c *compilation) newCall(name string) *call {
	// The library takes a C string: it would take what stands before a zero
	// byte for the name.
	if strings.IndexByte(name, 0) < 0 {
		if id, err := libseccomp.GetSyscallFromName(name); err == nil {
			n := &call{name: name, id: id}
			c.calls = append(c.calls, n)
			return n
		}
	}
	c.unknown = append(c.unknown, name)
	return nil
}

func (c *call) add(r *wire.Rule) {
	switch {
	case c.always:
	case len(r.Args) == 0:
		c.always, c.action, c.index = true, r.Action, r.Index
	default:
		c.rules = append(c.rules, prologue.Rule{Action: r.Action, Args: r.Args})
	}
}

// prologue is what stands before libseccomp's part.
func (c *compilation) prologue() []prologue.Arch {
	always := make(map[string]bool)
	for _, call := range c.calls {
		always[call.name] = call.always
	}
	archs := make([]prologue.Arch, len(c.archs))
	for i := range c.archs {
		archs[i].Arch = c.archs[i].Arch
		b := archBuilder{arch: &archs[i], byNumber: make(map[uint32]int)}
		for _, call := range c.calls {
			b.add(call, c.archs[i].find(call.name), always)
		}
	}
	return archs
}

// archBuilder fills the prologue of one architecture.
type archBuilder struct {
	arch     *prologue.Arch
	byNumber map[uint32]int
}

func (b *archBuilder) add(c *call, n number, always map[string]bool) {
	if n.hasOwn {
		b.arch.Known = append(b.arch.Known, n.own)
	}
	if n.multiplexerName != "" {
		b.arch.Known = append(b.arch.Known, n.multiplexer)
	}
	if c.always || len(c.rules) == 0 {
		return
	}
	if n.hasOwn {
		b.check(n.own, c.rules...)
	}
	if n.multiplexerName != "" && !always[n.multiplexerName] {
		// The arguments proper are in memory, where no filter sees them: the
		// first rule decides, whatever it wanted to check. libseccomp does so
		// too, as far as it can.
		b.check(n.multiplexer, prologue.Rule{
			Action: c.rules[0].Action,
			Args:   []wire.Arg{{Index: 0, Op: wire.Equal, Value: n.call}},
		})
	}
}

func (b *archBuilder) check(number uint32, rules ...prologue.Rule) {
	i, ok := b.byNumber[number]
	if !ok {
		i = len(b.arch.Checked)
		b.byNumber[number] = i
		b.arch.Checked = append(b.arch.Checked, prologue.Call{Number: number})
	}
	b.arch.Checked[i].Rules = append(b.arch.Checked[i].Rules, rules...)
}
