// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"

	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// call is everything that a profile says about one system call.
type call struct {
	// named means that the profile names the call.
	named bool
	// always means that a rule without argument checks decides, by action. It overrides every
	// rule with checks, before or after it, and every later rule without checks. libseccomp
	// does the same, and profiles rely on it.
	always bool
	action uint32
	// rules are the rules with argument checks.
	rules []filter.Rule
}

// compilation is the state of compiling one request.
type compilation struct {
	req *request
	// calls has an element for each of syscalls.All.
	calls []call
	// unknown are the names that no architecture has, each once. unenforced are those of them
	// that are in rules stricter than the default action.
	unknown, unenforced []string
}

// compile returns the program.
func (req *request) compile() (*Program, error) {
	c := &compilation{req: req, calls: make([]call, len(syscalls.All()))}
	for i := range req.rules {
		c.add(&req.rules[i])
	}
	archs := make([]filter.Arch, 0, len(syscalls.Runnable()))
	for i, a := range syscalls.Runnable() {
		// The native architecture is always included.
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
		// A rule with the default action has no effect, but its names still say how new the
		// profile is.
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

// stricter reports whether one filter result is stricter than another. The kernel uses the same
// order (seccomp(2)): of several filters the strictest result counts.
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

// arch returns the rules for one architecture.
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
	// Multiplexed calls come after the rules for the multiplexer itself: if both a rule with
	// checks for socketcall and one for socket match, the first is more specific.
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
	// place is the index in arch.Calls of a number with argument checks.
	place map[uint32]int
}

// own adds a call under its own number.
func (b *archBuilder) own(number uint32, c *call) {
	b.arch.Known = append(b.arch.Known, number)
	switch {
	case c.always:
		b.arch.Calls = append(b.arch.Calls, filter.Call{Number: number, Action: c.action})
	case len(c.rules) > 0:
		b.rules(number, c.rules...)
	}
}

// multiplexed adds a call that is made through a multiplexer. hidden means that a rule already
// decides about all calls through it.
func (b *archBuilder) multiplexed(number uint32, c *call, m *syscalls.Multiplexed, hidden bool) {
	b.arch.Known = append(b.arch.Known, number)
	// The actual arguments are in memory, which no filter can read. So the first rule decides,
	// whatever it checks. libseccomp does this too, as far as it can.
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
