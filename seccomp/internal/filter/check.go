// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"encoding/binary"
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// rules adds rules, which are tried in order. A profile may have hundreds of rules in sequence
// that compare one argument with a value. These share the load of the argument, and need one
// instruction each instead of five.
func (p *program) rules(rules []Rule, narrow bool) {
	for len(rules) > 0 {
		n := alike(rules)
		if n > 1 {
			p.anyOf(rules[:n], narrow)
		} else {
			p.rule(&rules[0], narrow)
		}
		rules = rules[n:]
	}
}

// alike returns how many of the first rules differ only in the low half of one value.
func alike(rules []Rule) int {
	first := &rules[0]
	if len(first.Args) != 1 || first.Args[0].Op != Equal && first.Args[0].Op != MaskedEqual {
		return 1
	}
	mask, value := first.Args[0].masked()
	n := 1
	for ; n < len(rules); n++ {
		r := &rules[n]
		if r.Action != first.Action || len(r.Args) != 1 {
			break
		}
		a := &r.Args[0]
		m, v := a.masked()
		if a.Op != first.Args[0].Op || a.Index != first.Args[0].Index || m != mask || v>>32 != value>>32 {
			break
		}
	}
	return n
}

// masked returns the mask and value of an Equal or a MaskedEqual.
func (a *Arg) masked() (mask, value uint64) {
	if a.Op == MaskedEqual {
		return a.Value, a.ValueTwo
	}
	return math.MaxUint64, a.Value
}

// anyOf adds rules that are alike. It is enough if one matches.
func (p *program) anyOf(rules []Rule, narrow bool) {
	a := &rules[0].Args[0]
	mask, value := a.masked()
	var body program
	body.half(a, false, uint32(mask))
	// The jump to the end of a piece has eight bits.
	for piece := range slices.Chunk(rules, math.MaxUint8) {
		for i := range piece {
			_, v := piece[i].Args[0].masked()
			body.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, uint8(len(piece)-i), 0, uint32(v))
		}
		body.add(unix.BPF_JMP|unix.BPF_JA, 0, 0, 1)
		body.ret(rules[0].Action)
	}
	if narrow {
		p.code = append(p.code, body.code...)
		return
	}
	p.half(a, true, uint32(mask>>32))
	p.when(uint32(value>>32), body.code)
}

// half loads one half of an argument and applies a mask.
func (p *program) half(a *Arg, high bool, mask uint32) {
	p.load(wordOffset(a.Index, high))
	if a.Op == MaskedEqual {
		p.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, mask)
	}
}

// rule adds one rule. If it does not match, the program continues after it.
func (p *program) rule(r *Rule, narrow bool) {
	// From back to front, because then the distance to the end is known.
	var rest program
	rest.ret(r.Action)
	for i := len(r.Args) - 1; i >= 0; i-- {
		// At most 6 checks of 6 instructions, so the distance fits into eight bits.
		check := check(&r.Args[i], narrow, uint8(rest.len()))
		rest.code = append(check, rest.code...)
	}
	p.code = append(p.code, rest.code...)
}

// wordOffset returns the offset of the low or the high half of an argument.
func wordOffset(arg uint8, high bool) uint32 {
	bigEndian := binary.NativeEndian.Uint16([]byte{0, 1}) == 1
	offset := offArgs + 8*uint32(arg)
	if high != bigEndian {
		offset += 4
	}
	return offset
}

// check returns the check of one argument. If it succeeds it falls through, otherwise it jumps
// over the toEnd instructions behind it.
func check(a *Arg, narrow bool, toEnd uint8) []byte {
	var p program
	low, high := uint32(a.Value), uint32(a.Value>>32)
	if a.Op == MaskedEqual {
		p.checkMasked(a, narrow, toEnd)
		return p.code
	}
	// If the high halves are equal the low half decides. The last two instructions of a check
	// compare it.
	if !narrow {
		p.load(wordOffset(a.Index, true))
		p.compareHigh(a.Op, high, toEnd)
	}
	p.load(wordOffset(a.Index, false))
	switch a.Op {
	case Equal:
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, toEnd, low)
	case NotEqual:
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, toEnd, 0, low)
	case GreaterThan:
		p.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, 0, toEnd, low)
	case GreaterOrEqual:
		p.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, toEnd, low)
	case LessOrEqual:
		p.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, toEnd, 0, low)
	case LessThan:
		p.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, toEnd, 0, low)
	}
	return p.code
}

// compareHigh compares the high half of an argument. If the low half has to decide, it falls
// through to the two instructions for that.
func (p *program) compareHigh(op Op, high uint32, toEnd uint8) {
	const lowPart = 2
	fail := lowPart + toEnd
	switch op {
	case Equal:
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, fail, high)
	case NotEqual:
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, lowPart, high)
	case GreaterThan, GreaterOrEqual:
		p.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, 1+lowPart, 0, high)
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, fail, high)
	case LessThan, LessOrEqual:
		p.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, 1+fail, 0, high)
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, lowPart, high)
	}
}

// checkMasked checks that the argument and the mask give the value.
func (p *program) checkMasked(a *Arg, narrow bool, toEnd uint8) {
	if !narrow {
		p.load(wordOffset(a.Index, true))
		p.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, uint32(a.Value>>32))
		p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 3+toEnd, uint32(a.ValueTwo>>32))
	}
	p.load(wordOffset(a.Index, false))
	p.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, uint32(a.Value))
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, toEnd, uint32(a.ValueTwo))
}
