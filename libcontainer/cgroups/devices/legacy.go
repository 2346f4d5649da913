// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
)

// Lists has the lines to write to the files of the v1 device controller, one write(2) each.
type Lists struct {
	// AllowFirst means that Allow is written before Deny.
	AllowFirst  bool
	Allow, Deny []string
}

// Legacy converts rules for cgroup v1.
//
// That controller does not have a list of rules but a default and a set of exceptions. "deny"
// only removes an exception for exactly the same device, and succeeds even if there is none. So
// writing "allow c *:*" and then "deny c 1:1" would leave 1:1 allowed. Hence the result of the
// rules is computed here, and rules whose result cannot be expressed this way (they make a hole
// in an exception, with either default) are refused.
func Legacy(rules []configs.DeviceRule) (*Lists, error) {
	var p policy
	p.play(rules, false)
	err := p.check()
	if err == nil {
		return p.lists(), nil
	}
	// The default comes from the last rule about everything. With the opposite default there
	// may be no holes.
	for _, allow := range []bool{false, true} {
		p := policy{allow: allow}
		if allow {
			for _, kind := range []byte{'b', 'c'} {
				p.apply(configs.DeviceRule{
					Type: kind, Major: configs.DeviceWildcard, Minor: configs.DeviceWildcard,
					Read: true, Write: true, Mknod: true,
				})
			}
		}
		p.play(rules, true)
		if p.check() == nil {
			return p.lists(), nil
		}
	}
	return nil, err
}

// play applies the rules in order. keep means that a rule about everything does not change the
// default.
func (p *policy) play(rules []configs.DeviceRule, keep bool) {
	for i := range rules {
		r := rules[i]
		switch {
		case everything(&r) && (!keep || r.Allow == p.allow):
			*p = policy{allow: r.Allow, exceptions: p.exceptions[:0], holes: p.holes[:0]}
		case access(&r) == 0:
		case r.Type == 'a':
			// To the controller, "a" means everything, whatever numbers and letters follow, so
			// two rules are needed.
			r.Type = 'b'
			p.apply(r)
			r.Type = 'c'
			p.apply(r)
		default:
			p.apply(r)
		}
	}
}

// policy is the state of the v1 controller.
type policy struct {
	// allow is the default: whether a device that is not an exception is allowed.
	allow bool
	// exceptions have the opposite of the default. No device occurs twice.
	exceptions []configs.DeviceRule
	// holes are parts of exceptions to which the default applies, which the controller cannot
	// express. A later rule may fill them again.
	holes []configs.DeviceRule
}

func (p *policy) apply(r configs.DeviceRule) {
	if r.Allow == p.allow {
		p.withdraw(r)
	} else {
		p.except(r)
	}
}

// except adds an exception.
func (p *policy) except(r configs.DeviceRule) {
	kept := p.holes[:0]
	for _, h := range p.holes {
		if covers(&r, &h) {
			subtract(&h, &r)
		}
		if access(&h) != 0 {
			kept = append(kept, h)
		}
	}
	p.holes = kept
	for i := range p.exceptions {
		if e := &p.exceptions[i]; covers(e, &r) && covers(&r, e) {
			e.Read, e.Write, e.Mknod = e.Read || r.Read, e.Write || r.Write, e.Mknod || r.Mknod
			return
		}
	}
	p.exceptions = append(p.exceptions, r)
}

// withdraw makes the default apply to the devices of r again.
func (p *policy) withdraw(r configs.DeviceRule) {
	kept := p.exceptions[:0]
	hole := false
	for _, e := range p.exceptions {
		switch {
		case covers(&r, &e):
			subtract(&e, &r)
		case inHole(&r, &e):
			hole = true
		}
		if access(&e) != 0 {
			kept = append(kept, e)
		}
	}
	p.exceptions = kept
	if hole {
		p.holes = append(p.holes, r)
	}
	p.prune()
}

// prune removes holes in exceptions that no longer exist, so that they do not affect later
// ones.
func (p *policy) prune() {
	kept := p.holes[:0]
	for _, h := range p.holes {
		if p.conflict(&h) != nil {
			kept = append(kept, h)
		}
	}
	p.holes = kept
}

// conflict returns an exception that contains the hole h.
func (p *policy) conflict(h *configs.DeviceRule) *configs.DeviceRule {
	for i := range p.exceptions {
		if inHole(h, &p.exceptions[i]) {
			return &p.exceptions[i]
		}
	}
	return nil
}

// inHole reports whether h removes a part of e that is less than a whole device range. An
// exception within h was added later than h and is intended.
func inHole(h, e *configs.DeviceRule) bool {
	return !covers(h, e) && overlap(h, e) && access(h)&access(e) != 0
}

func (p *policy) check() error {
	for i := range p.holes {
		h := &p.holes[i]
		e := p.conflict(h)
		if e == nil {
			continue
		}
		verb, other := "deny", "allowed"
		if p.allow {
			verb, other = "allow", "denied"
		}
		return fmt.Errorf("cgroup v1 cannot %s %q while %q is %s", verb, appendRule(nil, h), appendRule(nil, e), other)
	}
	return nil
}

// lists returns the policy as lists, without exceptions that others include.
func (p *policy) lists() *Lists {
	lines := make([]string, 0, len(p.exceptions))
	for i := range p.exceptions {
		if !p.included(i) {
			lines = append(lines, string(appendRule(nil, &p.exceptions[i])))
		}
	}
	if p.allow {
		return &Lists{AllowFirst: true, Allow: []string{"a"}, Deny: lines}
	}
	return &Lists{Deny: []string{"a"}, Allow: lines}
}

// included reports whether another exception includes number i. No two are the same, so they
// cannot include each other.
func (p *policy) included(i int) bool {
	e := &p.exceptions[i]
	for j := range p.exceptions {
		o := &p.exceptions[j]
		if i != j && covers(o, e) && access(e)&^access(o) == 0 {
			return true
		}
	}
	return false
}

// subtract removes the access of b from a.
func subtract(a, b *configs.DeviceRule) {
	a.Read = a.Read && !b.Read
	a.Write = a.Write && !b.Write
	a.Mknod = a.Mknod && !b.Mknod
}
