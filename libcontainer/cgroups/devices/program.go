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

// The registers, and what the program keeps in them. The kernel passes the context, struct
// bpf_cgroup_dev_ctx, in r1.
const (
	r0      = iota // verdict: 1 allow, 0 deny
	r1             // context
	rType          // BPF_DEVCG_DEV_BLOCK or _CHAR
	rAccess        // the requested bits that no rule has allowed yet
	rMajor
	rMinor
)

// Enum values in linux/bpf.h.
const (
	devBlock = 1
	devChar  = 2
)

// Operation codes. All arithmetic and conditional jumps are 32-bit, and all loads are whole
// words. Every verifier since Linux 5.1 accepts these, without questions of sign extension or
// narrow context access.
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

// assembler builds a program.
type assembler struct {
	code []instruction
	// allow and deny are the jumps to the two results, still without a target.
	allow, deny []int
}

func (a *assembler) emit(op uint8, dst, src uint8, offset int16, imm int32) {
	a.code = append(a.code, instruction{op, registers(dst, src), offset, imm})
}

// jump appends a conditional jump without a target and returns its index.
func (a *assembler) jump(op, reg uint8, imm int64) int {
	a.emit(op, reg, 0, 0, int32(uint32(imm)))
	return len(a.code) - 1
}

// land sets the next instruction as the target of jumps.
func (a *assembler) land(jumps []int) {
	for _, i := range jumps {
		a.code[i].offset = int16(len(a.code) - i - 1)
	}
}

// hit makes the jump lead to a result.
func (a *assembler) hit(allow bool, jump int) {
	if allow {
		a.allow = append(a.allow, jump)
	} else {
		a.deny = append(a.deny, jump)
	}
}

// registers packs two bit fields as the kernel's compiler does.
func registers(dst, src uint8) uint8 {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return src<<4 | dst
	}
	return dst<<4 | src
}

// program returns the device filter for ordered rules, which must come from effective. verdict
// is for accesses that the rules do not decide.
//
// The rules are tried from the last to the first, and those that match decide bit by bit: a
// denied bit that is still open ends in "deny", an allowed bit is cleared, and if no bit is
// left the result is "allow". So a request for no access (access(2) with F_OK) is allowed if
// any access to the device is allowed, as in cgroup v1.
//
// Loading takes the kernel about 5 µs per instruction, so rules about all accesses, the most
// common kind, share comparisons and results.
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

// partial appends a rule about only some accesses.
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

// group appends rules about all accesses with the same result. Their order does not matter, so
// they are sorted and compared by type, and within a type by major number.
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

// answers ends the program: first the verdict, which follows without a jump, then the other
// result if a jump leads to it.
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

// effective returns the rules that can decide anything, the last one first, and the verdict for
// what none of them decides. This also avoids unreachable code, which the verifier refuses.
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

// halves reports whether x and y differ only in that one is for block and the other for
// character devices.
func halves(x, y *configs.DeviceRule) bool {
	z := *y
	z.Type = x.Type
	return z == *x && x.Type != y.Type && x.Type != 'a' && y.Type != 'a'
}

// overruled reports whether one rule of later covers everything that r covers.
func overruled(later []configs.DeviceRule, r *configs.DeviceRule) bool {
	for i := range later {
		if covers(&later[i], r) && access(r)&^access(&later[i]) == 0 {
			return true
		}
	}
	return false
}
