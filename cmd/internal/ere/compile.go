// SPDX-License-Identifier: Apache-2.0

package ere

import "errors"

// maxProgram bounds what repetitions of repetitions make of a short expression.
const maxProgram = 1 << 16

// Compile compiles an expression. What POSIX leaves undefined is an error, rather than
// containers that the caller did not mean.
func Compile(expression string) (*Expression, error) {
	p := parser{rest: expression}
	tree, err := p.parse()
	if err != nil {
		return nil, err
	}
	var c compiler
	if !c.compile(tree) {
		return nil, errors.New("too many repetitions")
	}
	c.emit(instruction{op: found})
	return &Expression{c.program}, nil
}

// node is a part of an expression.
type node struct {
	kind kind
	// one is a single instruction.
	one instruction
	// parts are those of a sequence or an alternative, and what a repetition repeats.
	parts []*node
	// least and most are the bounds of a repetition; most is unlimited for as often as
	// one likes.
	least, most int
}

type kind byte

const (
	single kind = iota
	sequence
	alternative
	repetition
)

const unlimited = -1

// compiler writes the program of an expression.
type compiler struct {
	program []instruction
	// nodes counts what was compiled, as that may be empty.
	nodes int
}

func (c *compiler) emit(i instruction) (at int) {
	c.program = append(c.program, i)
	return len(c.program) - 1
}

// compile writes n. It is false when there is no end of it.
func (c *compiler) compile(n *node) bool {
	if c.nodes++; c.nodes > maxProgram {
		return false
	}
	switch n.kind {
	case single:
		c.emit(n.one)
	case sequence:
		return c.compileAll(n.parts)
	case alternative:
		return c.compileAlternative(n.parts)
	case repetition:
		return c.compileRepetition(n)
	}
	return true
}

func (c *compiler) compileAll(parts []*node) bool {
	for _, part := range parts {
		if !c.compile(part) {
			return false
		}
	}
	return true
}

// compileAlternative makes, of two parts,
//
//	fork A B;  A: first, fork END END;  B: second;  END:
func (c *compiler) compileAlternative(parts []*node) bool {
	var ends []int
	for _, part := range parts[:len(parts)-1] {
		at := c.emit(instruction{op: fork})
		if !c.compile(part) {
			return false
		}
		ends = append(ends, c.emit(instruction{op: fork}))
		c.program[at].to, c.program[at].other = at+1, len(c.program)
	}
	if !c.compile(parts[len(parts)-1]) {
		return false
	}
	for _, at := range ends {
		c.program[at].to, c.program[at].other = len(c.program), len(c.program)
	}
	return true
}

// compileRepetition makes what has to be there, and then
//
//	AGAIN: fork NEXT END;  NEXT: part, fork AGAIN AGAIN;  END:
//
// or, for a limit, for each time
//
//	fork NEXT END;  NEXT: part;  …  END:
func (c *compiler) compileRepetition(n *node) bool {
	for range n.least {
		if !c.compileAll(n.parts) {
			return false
		}
	}
	if n.most == unlimited {
		again := c.emit(instruction{op: fork})
		if !c.compileAll(n.parts) {
			return false
		}
		c.emit(instruction{op: fork, to: again, other: again})
		c.program[again].to, c.program[again].other = again+1, len(c.program)
		return true
	}
	var forks []int
	for range n.most - n.least {
		at := c.emit(instruction{op: fork})
		c.program[at].to = at + 1
		forks = append(forks, at)
		if !c.compileAll(n.parts) {
			return false
		}
	}
	for _, at := range forks {
		c.program[at].other = len(c.program)
	}
	return true
}
