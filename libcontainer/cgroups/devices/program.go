// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// instruction is struct bpf_insn.
type instruction struct {
	code   uint8
	regs   uint8 // destination and source, four bits each
	offset int16
	imm    int32
}

// The registers and what the program keeps in them. The kernel passes the
// context, struct bpf_cgroup_dev_ctx, in r1.
const (
	r0      = iota // verdict: 1 allow, 0 deny
	r1             // context
	rType          // BPF_DEVCG_DEV_BLOCK or _CHAR
	rAccess        // what is asked for and no rule has allowed yet
	rMajor
	rMinor
)

// Numbers of enum in linux/bpf.h.
const (
	devBlock = 1
	devChar  = 2
)

// Operation codes. All arithmetic and all conditional jumps are of the 32-bit
// kind and all loads are of whole words: that is what every verifier since Linux
// 5.1 takes without a thought about sign extension or narrow context access.
const (
	opLoad      = unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM
	opMoveReg   = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X
	opMove      = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_K
	opAnd       = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opShift     = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
	opJumpEqual = unix.BPF_JMP32 | unix.BPF_JEQ | unix.BPF_K
	opJumpOther = unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K
	opJumpAny   = unix.BPF_JMP32 | unix.BPF_JSET | unix.BPF_K
	opExit      = unix.BPF_JMP | unix.BPF_EXIT
)

// assembler collects a program.
type assembler struct {
	code []instruction
	// allow and deny are the jumps to the two answers, still without a target.
	allow, deny []int
}

func (a *assembler) emit(op uint8, dst, src uint8, offset int16, imm int32) {
	a.code = append(a.code, instruction{op, registers(dst, src), offset, imm})
}

// jump appends a conditional jump without a target and returns where it is.
func (a *assembler) jump(op, reg uint8, imm int64) int {
	a.emit(op, reg, 0, 0, int32(uint32(imm)))
	return len(a.code) - 1
}

// land makes jumps lead to the next instruction.
func (a *assembler) land(jumps []int) {
	for _, i := range jumps {
		a.code[i].offset = int16(len(a.code) - i - 1)
	}
}

// hit makes the jump lead to an answer.
func (a *assembler) hit(allow bool, jump int) {
	if allow {
		a.allow = append(a.allow, jump)
	} else {
		a.deny = append(a.deny, jump)
	}
}

// registers packs two bit fields the way the compiler of the kernel does.
func registers(dst, src uint8) uint8 {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return src<<4 | dst
	}
	return dst<<4 | src
}

// program makes the device filter of ordered rules, which must come from
// effective, and the verdict on what they do not decide.
//
// The rules are tried from the last to the first, the ones that apply deciding
// bit by bit: a denied bit that is still open ends in "deny", an allowed one is
// crossed off, and when no bit is left open the answer is "allow". A request
// for no access at all (access(2) with F_OK) so is allowed for a device that is
// allowed anything, as with cgroup v1.
//
// Loading costs the kernel about 5 µs an instruction, so rules about all
// accesses, which most are, share their comparisons and answers.
func program(rules []configs.DeviceRule, verdict bool) []instruction {
	a := &assembler{code: make([]instruction, 0, 12+5*len(rules))}
	a.emit(opLoad, rType, r1, 0, 0) // access_type: access in the upper half
	a.emit(opMoveReg, rAccess, rType, 0, 0)
	a.emit(opShift, rAccess, 0, 0, 16)
	a.emit(opAnd, rType, 0, 0, 0xffff)
	a.emit(opLoad, rMajor, r1, 4, 0)
	a.emit(opLoad, rMinor, r1, 8, 0)
	for len(rules) > 0 {
		n := 0
		for n < len(rules) && rules[n].Allow == rules[0].Allow && access(&rules[n]) == all {
			n++
		}
		if n == 0 {
			a.partial(&rules[0])
			n = 1
		} else {
			a.group(rules[:n])
		}
		rules = rules[n:]
	}
	a.answers(verdict)
	return a.code
}

// partial appends a rule about some accesses only.
func (a *assembler) partial(r *configs.DeviceRule) {
	var skip []int
	if r.Type != 'a' {
		skip = append(skip, a.jump(opJumpOther, rType, kind(r.Type)))
	}
	if r.Major != configs.DeviceWildcard {
		skip = append(skip, a.jump(opJumpOther, rMajor, r.Major))
	}
	if r.Minor != configs.DeviceWildcard {
		skip = append(skip, a.jump(opJumpOther, rMinor, r.Minor))
	}
	bits := int64(access(r))
	if r.Allow {
		a.emit(opAnd, rAccess, 0, 0, int32(all&^bits))
		a.hit(true, a.jump(opJumpEqual, rAccess, 0))
	} else {
		a.hit(false, a.jump(opJumpAny, rAccess, bits))
	}
	a.land(skip)
}

// group appends rules about all accesses with the same answer. Among those the
// order does not matter, so they are sorted and compared with type by type,
// and within a type major by major.
func (a *assembler) group(rules []configs.DeviceRule) {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(x, y configs.DeviceRule) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Major, y.Major), cmp.Compare(x.Minor, y.Minor))
	})
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].Type == sorted[0].Type {
			n++
		}
		a.ofType(sorted[:n])
		sorted = sorted[n:]
	}
}

// ofType appends the rules of one type.
func (a *assembler) ofType(rules []configs.DeviceRule) {
	first := &rules[0] // Wildcards sort first.
	var skip []int
	if first.Type != 'a' {
		if first.Major == configs.DeviceWildcard && first.Minor == configs.DeviceWildcard {
			a.hit(first.Allow, a.jump(opJumpEqual, rType, kind(first.Type)))
			return
		}
		skip = append(skip, a.jump(opJumpOther, rType, kind(first.Type)))
	}
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].Major == rules[0].Major {
			n++
		}
		a.ofMajor(rules[:n])
		rules = rules[n:]
	}
	a.land(skip)
}

// ofMajor appends the rules of one type and one major number, or of any.
func (a *assembler) ofMajor(rules []configs.DeviceRule) {
	first := &rules[0]
	var skip []int
	if first.Major != configs.DeviceWildcard {
		if first.Minor == configs.DeviceWildcard {
			a.hit(first.Allow, a.jump(opJumpEqual, rMajor, first.Major))
			return
		}
		skip = append(skip, a.jump(opJumpOther, rMajor, first.Major))
	}
	for i := range rules {
		a.hit(first.Allow, a.jump(opJumpEqual, rMinor, rules[i].Minor))
	}
	a.land(skip)
}

func kind(t byte) int64 {
	if t == 'b' {
		return devBlock
	}
	return devChar
}

// answers ends the program: the verdict first, for it is fallen through to, then
// the other answer if something leads to it.
func (a *assembler) answers(verdict bool) {
	same, other := a.allow, a.deny
	if !verdict {
		same, other = other, same
	}
	a.land(same)
	a.answer(verdict)
	if len(other) > 0 {
		a.land(other)
		a.answer(!verdict)
	}
}

func (a *assembler) answer(allow bool) {
	var v int32
	if allow {
		v = 1
	}
	a.emit(opMove, r0, 0, 0, v)
	a.emit(opExit, 0, 0, 0, 0)
}

// effective lists the rules that can decide anything, the last one first, and
// the verdict on what none of them decides. It also spares the verifier code
// that cannot be reached, which it refuses.
func effective(rules []configs.DeviceRule) (list []configs.DeviceRule, verdict bool) {
	list = make([]configs.DeviceRule, 0, len(rules))
	for i := len(rules) - 1; i >= 0; i-- {
		r := &rules[i]
		if everything(r) {
			verdict = r.Allow
			break
		}
		if access(r) == 0 || overruled(list, r) {
			continue
		}
		if n := len(list); n > 0 && halves(&list[n-1], r) {
			if list[n-1].Type = 'a'; everything(&list[n-1]) {
				list, verdict = list[:n-1], r.Allow
				break
			}
			continue
		}
		list = append(list, *r)
	}
	for len(list) > 0 && list[len(list)-1].Allow == verdict {
		list = list[:len(list)-1]
	}
	return list, verdict
}

// halves says whether x and y differ in nothing but that one is about block and
// the other about character devices.
func halves(x, y *configs.DeviceRule) bool {
	z := *y
	z.Type = x.Type
	return z == *x && x.Type != y.Type && x.Type != 'a' && y.Type != 'a'
}

// overruled says whether one rule of later says something about all that r says.
func overruled(later []configs.DeviceRule, r *configs.DeviceRule) bool {
	for i := range later {
		if covers(&later[i], r) && access(r)&^access(&later[i]) == 0 {
			return true
		}
	}
	return false
}
