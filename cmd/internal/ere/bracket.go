// SPDX-License-Identifier: Apache-2.0

package ere

import (
	"errors"
	"fmt"
	"strings"
)

// bracket reads a bracket expression, after the bracket.
func (p *parser) bracket() (set, error) {
	var s set
	not := p.skip("^")
	for first := true; first || !strings.HasPrefix(p.rest, "]"); first = false {
		named, ok, err := p.named()
		if err != nil {
			return s, err
		}
		if ok {
			s.addSet(named)
			continue
		}
		if err := p.span(&s, first); err != nil {
			return s, err
		}
	}
	p.next()
	if not {
		s.invert()
	}
	return s, nil
}

// span reads a character of a bracket expression, or two with a hyphen between them.
// A hyphen that stands for itself is first or last.
func (p *parser) span(s *set, first bool) error {
	if !first && strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
		return errors.New("a hyphen in brackets that is neither first nor last")
	}
	from, err := p.member()
	if err != nil {
		return err
	}
	to := from
	if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
		p.next()
		if to, err = p.member(); err != nil {
			return err
		}
		if to < from {
			return fmt.Errorf("bad range %c-%c", from, to)
		}
	}
	s.addRange(from, to)
	return nil
}

// member reads one character of a bracket expression.
func (p *parser) member() (byte, error) {
	if p.rest == "" {
		return 0, errors.New("missing ]")
	}
	if c := p.next(); c != '\\' {
		return c, nil
	}
	// To POSIX a backslash is a character here, and to most others it is none. What
	// comes after it is no letter or digit, so that nobody gets \ or d by [\d].
	return p.escaped()
}

// named reads a class like [:alpha:], if there is one.
func (p *parser) named() (s set, ok bool, err error) {
	for _, kind := range []string{":", ".", "="} {
		rest, ok := strings.CutPrefix(p.rest, "["+kind)
		if !ok {
			continue
		}
		name, rest, ok := strings.Cut(rest, kind+"]")
		if !ok {
			continue
		}
		if kind == ":" {
			s, ok = class(name)
		}
		if !ok || kind != ":" {
			return s, false, fmt.Errorf("unknown class [%s%s%s]", kind, name, kind)
		}
		p.rest = rest
		return s, true, nil
	}
	return s, false, nil
}

// class finds a class of characters, as they are in the POSIX locale. word is common
// besides, and means [[:alnum:]_].
func class(name string) (s set, ok bool) {
	for _, c := range []struct{ name, ranges string }{
		{"alnum", "09AZaz"},
		{"alpha", "AZaz"},
		{"blank", "\t\t  "},
		{"cntrl", "\x00\x1f\x7f\x7f"},
		{"digit", "09"},
		{"graph", "!~"},
		{"lower", "az"},
		{"print", " ~"},
		{"punct", "!/:@[`{~"},
		{"space", "\t\r  "},
		{"upper", "AZ"},
		{"word", "09AZaz__"},
		{"xdigit", "09AFaf"},
	} {
		if c.name != name {
			continue
		}
		for r := c.ranges; r != ""; r = r[2:] {
			s.addRange(r[0], r[1])
		}
		return s, true
	}
	return s, false
}
