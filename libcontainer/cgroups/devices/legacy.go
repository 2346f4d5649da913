// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
)

// Lists are the lines to write to the files of the v1 device controller, one
// write(2) each.
type Lists struct {
	// AllowFirst says that Allow is written before Deny.
	AllowFirst  bool
	Allow, Deny []string
}

// Legacy translates rules for cgroup v1.
//
// That controller has no list of rules but a default and a set of exceptions
// from it: "deny" takes away only an exception of exactly the same device, and
// succeeds even when there is none. Written down one after the other, "allow
// c *:*" and "deny c 1:1" would so leave 1:1 open. Hence the rules are worked
// out here, and a set that has no such form (a hole in an exception, whichever
// the default) is refused.
func Legacy(rules []configs.DeviceRule) (*Lists, error) {
	var p policy
	p.play(rules, false)
	err := p.check()
	if err == nil {
		return p.lists(), nil
	}
	// The default was the last rule about everything. The other way round the
	// same may be without holes.
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

// play applies the rules in order; keep says that a rule about everything does
// not change the default.
func (p *policy) play(rules []configs.DeviceRule, keep bool) {
	for i := range rules {
		r := rules[i]
		switch {
		case everything(&r) && (!keep || r.Allow == p.allow):
			*p = policy{allow: r.Allow, exceptions: p.exceptions[:0], holes: p.holes[:0]}
		case access(&r) == 0:
		case r.Type == 'a':
			// The controller takes "a" for everything whatever numbers and
			// letters follow, so it has to be said in two.
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
	// allow is what happens to a device that is no exception.
	allow bool
	// exceptions get the opposite. None has a device twice.
	exceptions []configs.DeviceRule
	// holes are parts of exceptions that shall be as the default: what the
	// controller cannot express. A later rule may fill them again.
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

// withdraw gives the devices of r back to the default.
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

// prune forgets holes in exceptions that are no more, lest they spoil later ones.
func (p *policy) prune() {
	kept := p.holes[:0]
	for _, h := range p.holes {
		if p.conflict(&h) != nil {
			kept = append(kept, h)
		}
	}
	p.holes = kept
}

// conflict is an exception that the hole h is in.
func (p *policy) conflict(h *configs.DeviceRule) *configs.DeviceRule {
	for i := range p.exceptions {
		if inHole(h, &p.exceptions[i]) {
			return &p.exceptions[i]
		}
	}
	return nil
}

// inHole says whether h takes something from e that is less than all of a
// device range. An exception within h came later than h and is meant.
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

// lists writes the policy down, without exceptions that others include.
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

// included says whether another exception says all that number i says. No two
// are the same, so they cannot include each other.
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

// subtract takes the access of b out of a.
func subtract(a, b *configs.DeviceRule) {
	a.Read = a.Read && !b.Read
	a.Write = a.Write && !b.Write
	a.Mknod = a.Mknod && !b.Mknod
}
