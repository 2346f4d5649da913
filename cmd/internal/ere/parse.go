// SPDX-License-Identifier: Apache-2.0

package ere

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxRepeat is the greatest number in an interval like {1,3}. POSIX wants 255 at least.
const maxRepeat = 1000

// maxDepth is how deep parentheses may be nested.
const maxDepth = 1000

// parser reads an expression.
type parser struct {
	rest  string
	depth int
}

func (p *parser) parse() (*node, error) {
	for i := range len(p.rest) {
		if p.rest[i] >= 0x80 {
			return nil, fmt.Errorf("%q is not ASCII", p.rest[i:])
		}
	}
	tree, err := p.alternative()
	if err == nil && p.rest != "" {
		err = errors.New("unexpected )")
	}
	return tree, err
}

// alternative reads up to the end or a parenthesis.
func (p *parser) alternative() (*node, error) {
	n := &node{kind: alternative}
	for {
		part, err := p.sequence()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
		if !p.skip("|") {
			return n, nil
		}
	}
}

func (p *parser) sequence() (*node, error) {
	n := &node{kind: sequence}
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		part, err := p.atom()
		if err != nil {
			return nil, err
		}
		for {
			least, most, ok, err := p.repetition()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			part = &node{kind: repetition, parts: []*node{part}, least: least, most: most}
		}
		n.parts = append(n.parts, part)
	}
	return n, nil
}

// atom reads what a repetition repeats.
func (p *parser) atom() (*node, error) {
	switch _, _, repeats, err := p.repetition(); {
	case err != nil:
		return nil, err
	case repeats:
		return nil, errors.New("a repetition of nothing")
	}
	one := instruction{op: take}
	switch c := p.next(); c {
	case '(':
		return p.group()
	case '^':
		one.op = begin
	case '$':
		one.op = end
	case '.':
		one.set.invert()
	case '[':
		s, err := p.bracket()
		if err != nil {
			return nil, err
		}
		one.set = s
	case '\\':
		c, err := p.escaped()
		if err != nil {
			return nil, err
		}
		one.set.add(c)
	default:
		one.set.add(c)
	}
	return &node{kind: single, one: one}, nil
}

// group reads what is in parentheses, after the first.
func (p *parser) group() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("too many parentheses in each other")
	}
	n, err := p.alternative()
	if err != nil {
		return nil, err
	}
	p.depth--
	if !p.skip(")") {
		return nil, errors.New("missing )")
	}
	return n, nil
}

// repetition reads *, +, ? or an interval, if there is one. A brace that begins no interval is
// a character.
func (p *parser) repetition() (least, most int, ok bool, err error) {
	switch {
	case p.skip("*"):
		return 0, unlimited, true, nil
	case p.skip("+"):
		return 1, unlimited, true, nil
	case p.skip("?"):
		return 0, 1, true, nil
	case !strings.HasPrefix(p.rest, "{"):
		return 0, 0, false, nil
	}
	text, rest, closed := strings.Cut(p.rest[1:], "}")
	first, last, isRange := strings.Cut(text, ",")
	if !closed || !isNumber(first) || isRange && last != "" && !isNumber(last) {
		return 0, 0, false, nil
	}
	p.rest = rest
	least, err = strconv.Atoi(first)
	most = least
	switch {
	case isRange && last == "":
		most = unlimited
	case isRange && err == nil:
		most, err = strconv.Atoi(last)
	}
	if err != nil || least > maxRepeat || most > maxRepeat || most != unlimited && most < least {
		return 0, 0, false, fmt.Errorf("bad repetition {%s}", text)
	}
	return least, most, true, nil
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// escaped reads the character after a backslash. That of a letter or a digit means
// something else to each program.
func (p *parser) escaped() (byte, error) {
	if p.rest == "" {
		return 0, errors.New(`\ at the end`)
	}
	c := p.next()
	if s, _ := class("alnum"); s.has(c) {
		return 0, fmt.Errorf(`unknown escape \%c`, c)
	}
	return c, nil
}

// next takes one character, which has to be there.
func (p *parser) next() byte {
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func (p *parser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}
