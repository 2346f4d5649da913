// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"encoding/binary"

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

// The registers and what the program keeps in them. r1 comes in with the
// context, struct bpf_cgroup_dev_ctx, and is scratch afterwards.
const (
	r0      = iota // verdict: 1 allow, 0 deny
	r1             // context, then scratch
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

// Operation codes. All arithmetic and all jumps are of the 32-bit kind and all
// loads are of whole words: that is what every verifier since Linux 5.1 takes
// without a thought about sign extension or narrow context access.
const (
	opLoad      = unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM
	opMoveReg   = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X
	opMove      = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_K
	opAnd       = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opShift     = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
	opJumpEqual = unix.BPF_JMP32 | unix.BPF_JEQ | unix.BPF_K
	opJumpOther = unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K
	opExit      = unix.BPF_JMP | unix.BPF_EXIT
)

// assembler collects a program.
type assembler struct{ code []instruction }

func (a *assembler) emit(op uint8, dst, src uint8, offset int16, imm int32) {
	a.code = append(a.code, instruction{op, registers(dst, src), offset, imm})
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
// for no access at all (access(2) with F_OK) goes by the first rule that allows
// its device anything, as with cgroup v1.
func program(rules []configs.DeviceRule, verdict bool) []instruction {
	a := &assembler{code: make([]instruction, 0, 8+8*len(rules))}
	a.emit(opLoad, rType, r1, 0, 0) // access_type: access in the upper half
	a.emit(opMoveReg, rAccess, rType, 0, 0)
	a.emit(opShift, rAccess, 0, 0, 16)
	a.emit(opAnd, rType, 0, 0, 0xffff)
	a.emit(opLoad, rMajor, r1, 4, 0)
	a.emit(opLoad, rMinor, r1, 8, 0)
	for i := range rules {
		a.rule(&rules[i])
	}
	a.answer(verdict)
	return a.code
}

// rule appends the block of one rule; every condition that fails jumps behind it.
func (a *assembler) rule(r *configs.DeviceRule) {
	start := len(a.code)
	switch r.Type {
	case 'b':
		a.emit(opJumpOther, rType, 0, 0, devBlock)
	case 'c':
		a.emit(opJumpOther, rType, 0, 0, devChar)
	}
	if r.Major != configs.DeviceWildcard {
		a.emit(opJumpOther, rMajor, 0, 0, int32(uint32(r.Major)))
	}
	if r.Minor != configs.DeviceWildcard {
		a.emit(opJumpOther, rMinor, 0, 0, int32(uint32(r.Minor)))
	}
	switch bits := int32(access(r)); {
	case bits == all:
	case r.Allow:
		a.emit(opAnd, rAccess, 0, 0, all&^bits)
		a.emit(opJumpOther, rAccess, 0, 0, 0)
	default:
		a.emit(opMoveReg, r1, rAccess, 0, 0)
		a.emit(opAnd, r1, 0, 0, bits)
		a.emit(opJumpEqual, r1, 0, 0, 0)
	}
	a.answer(r.Allow)
	for i := start; i < len(a.code); i++ {
		if op := a.code[i].code; op == opJumpOther || op == opJumpEqual {
			a.code[i].offset = int16(len(a.code) - i - 1)
		}
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
		if access(r) != 0 && !overruled(list, r) {
			list = append(list, *r)
		}
	}
	for len(list) > 0 && list[len(list)-1].Allow == verdict {
		list = list[:len(list)-1]
	}
	return list, verdict
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
