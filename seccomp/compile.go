// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// call is all that a profile has on one system call.
type call struct {
	// named says that the profile names it.
	named bool
	// always says that a rule without argument checks decides, by action. It
	// hides every rule with checks, before or after it, and every later one
	// without: so libseccomp has it, and profiles are written for that.
	always bool
	action uint32
	// rules are those with checks.
	rules []filter.Rule
}

// compilation is one request on its way to a filter.
type compilation struct {
	req *request
	// calls has one for each of syscalls.All.
	calls []call
	// unknown are the names that no architecture has, each once, and unenforced those
	// of them in rules that are stricter than the default action.
	unknown, unenforced []string
}

// compile makes the program.
func (req *request) compile() (*Program, error) {
	c := &compilation{req: req, calls: make([]call, len(syscalls.All()))}
	for i := range req.rules {
		c.add(&req.rules[i])
	}
	archs := make([]filter.Arch, 0, len(syscalls.Runnable()))
	for i, a := range syscalls.Runnable() {
		// What runs natively is always there.
		if i == 0 || slices.Contains(req.archs, a.Name) {
			archs = append(archs, c.arch(a))
		}
	}
	bpf := filter.Build(archs, req.def, req.stub)
	if n := len(bpf) / filter.InstructionSize; n > filter.MaxInstructions {
		return nil, fmt.Errorf("linux.seccomp: the filter has %d instructions, the kernel takes %d", n, filter.MaxInstructions)
	}
	return &Program{BPF: bpf, Unknown: c.unknown, Unenforced: c.unenforced}, nil
}

// add adds a rule to the calls that it names.
func (c *compilation) add(r *rule) {
	for _, name := range r.names {
		i := syscalls.Find(name)
		if i < 0 {
			c.unknown = addName(c.unknown, name)
			if stricter(r.action, c.req.def) {
				c.unenforced = addName(c.unenforced, name)
			}
			continue
		}
		c.calls[i].named = true
		// A rule with the default action is no rule, but that it has a name says how
		// new the profile is.
		if r.action != c.req.def {
			c.calls[i].add(r)
		}
	}
}

func addName(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// stricter says whether a filter's answer takes more from a program than another. The
// kernel has them in this order, too (seccomp(2)): of several filters the strictest wins.
func stricter(a, than uint32) bool { return strictness(a) > strictness(than) }

func strictness(ret uint32) int {
	order := []uint32{
		unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF,
		unix.SECCOMP_RET_ERRNO, unix.SECCOMP_RET_TRAP, unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_KILL_PROCESS,
	}
	return slices.Index(order, ret&unix.SECCOMP_RET_ACTION_FULL)
}

func (c *call) add(r *rule) {
	switch {
	case c.always:
	case len(r.args) == 0:
		c.always, c.action = true, r.action
	default:
		c.rules = append(c.rules, filter.Rule{Action: r.action, Args: r.args})
	}
}

// arch are the rules on one architecture.
func (c *compilation) arch(a syscalls.Arch) filter.Arch {
	b := archBuilder{
		arch:  filter.Arch{Arch: a, Known: make([]uint32, 0, len(c.calls)), Calls: make([]filter.Call, 0, len(c.calls))},
		def:   c.req.def,
		place: make(map[uint32]int),
	}
	for i := range c.calls {
		if !c.calls[i].named {
			continue
		}
		if n, ok := syscalls.All()[i].Number(&a); ok {
			b.own(n, &c.calls[i])
		}
	}
	// After all that have the number of a multiplexer for their own: where both a rule
	// for socketcall with checks and one for socket match, the first is the more exact.
	for _, m := range a.Multiplexed() {
		if call := &c.calls[syscalls.Find(m.Name)]; call.named {
			by := syscalls.Find(m.By)
			if n, ok := syscalls.All()[by].Number(&a); ok {
				b.multiplexed(n, call, &m, c.calls[by].always)
			}
		}
	}
	return b.arch
}

// archBuilder collects the rules of one architecture.
type archBuilder struct {
	arch filter.Arch
	def  uint32
	// place is where in arch.Calls a number with argument checks is.
	place map[uint32]int
}

// own adds a call with the number that it has itself.
func (b *archBuilder) own(number uint32, c *call) {
	b.arch.Known = append(b.arch.Known, number)
	switch {
	case c.always:
		b.arch.Calls = append(b.arch.Calls, filter.Call{Number: number, Action: c.action})
	case len(c.rules) > 0:
		b.rules(number, c.rules...)
	}
}

// multiplexed adds the other way to a call. hidden says that a rule decides about all that
// go that way.
func (b *archBuilder) multiplexed(number uint32, c *call, m *syscalls.Multiplexed, hidden bool) {
	b.arch.Known = append(b.arch.Known, number)
	// The arguments proper are in memory, where no filter sees them: the
	// first rule decides, whatever it wanted to check. libseccomp does so
	// too, as far as it can.
	action := c.action
	if !c.always && len(c.rules) > 0 {
		action = c.rules[0].Action
	}
	if hidden || !c.always && len(c.rules) == 0 {
		return
	}
	b.rules(number, filter.Rule{
		Action: action,
		Args:   []filter.Arg{{Index: 0, Op: filter.MaskedEqual, Value: m.Mask, ValueTwo: m.Value}},
	})
}

func (b *archBuilder) rules(number uint32, rules ...filter.Rule) {
	i, ok := b.place[number]
	if !ok {
		i = len(b.arch.Calls)
		b.place[number] = i
		b.arch.Calls = append(b.arch.Calls, filter.Call{Number: number, Action: b.def})
	}
	b.arch.Calls[i].Rules = append(b.arch.Calls[i].Rules, rules...)
}
