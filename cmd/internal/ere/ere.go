// SPDX-License-Identifier: Apache-2.0

// Package ere says whether a word has a match of an extended regular expression of POSIX
// (XBD, chapter 9.4), for the options that choose containers by their ids: words of
// ASCII, as ids are. It finds no positions, and takes time in proportion to the lengths of the
// expression and the word, whatever they are.
//
// It is here because package regexp, which does far more, keeps the tables of Unicode in
// the binary and fills maps with them at each start, of whatever command.
package ere

// Expression is a compiled expression.
type Expression struct {
	program []instruction
}

// instruction is a state of the automaton, which goes on with the next one.
type instruction struct {
	op operation
	// set is what take takes.
	set set
	// to and other are where fork goes on instead.
	to, other int
}

type operation byte

const (
	// take takes one character.
	take operation = iota
	// fork goes on in two places.
	fork
	// begin and end go on there only.
	begin
	end
	// found ends a match.
	found
)

// set is a set of ASCII characters.
type set [2]uint64

// has is false for all that is not ASCII.
func (s *set) has(c byte) bool { return c < 0x80 && s[c>>6]&(1<<(c&63)) != 0 }

func (s *set) add(c byte) { s[c>>6] |= 1 << (c & 63) }

func (s *set) addRange(first, last byte) {
	for c := int(first); c <= int(last); c++ {
		s.add(byte(c))
	}
}

func (s *set) addSet(other set) {
	s[0] |= other[0]
	s[1] |= other[1]
}

func (s *set) invert() { s[0], s[1] = ^s[0], ^s[1] }

// Match says whether there is a match anywhere in word.
func (e *Expression) Match(word string) bool {
	now, next := newStates(e), newStates(e)
	for at := 0; ; at++ {
		// A match may begin anywhere.
		now.enter(0, at, len(word))
		if now.found {
			return true
		}
		if at == len(word) {
			return false
		}
		for _, i := range now.list {
			if e.program[i].op == take && e.program[i].set.has(word[at]) {
				next.enter(i+1, at+1, len(word))
			}
		}
		now, next = next, now
		next.clear()
	}
}

// states is the set of states that the automaton is in.
type states struct {
	program []instruction
	list    []int
	in      []bool
	// found says that one of them ends a match.
	found bool
}

func newStates(e *Expression) *states {
	return &states{program: e.program, in: make([]bool, len(e.program))}
}

// enter adds state i, and what follows from it without another character, before
// character at of a word of length n.
func (s *states) enter(i, at, n int) {
	for !s.in[i] {
		s.in[i] = true
		s.list = append(s.list, i)
		switch p := &s.program[i]; p.op {
		case take:
			return
		case found:
			s.found = true
			return
		case fork:
			s.enter(p.other, at, n)
			i = p.to
			continue
		case begin:
			if at != 0 {
				return
			}
		case end:
			if at != n {
				return
			}
		}
		i++
	}
}

func (s *states) clear() {
	for _, i := range s.list {
		s.in[i] = false
	}
	s.list, s.found = s.list[:0], false
}
