// SPDX-License-Identifier: Apache-2.0

// Package bpf runs classic BPF programs as seccomp in the kernel does, for error messages and
// tests. It refuses what the kernel would refuse to load.
package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Data is struct seccomp_data.
type Data struct {
	Number uint32
	Arch   uint32
	IP     uint64
	Args   [6]uint64
}

// word returns the 32-bit word at offset off, in the machine's byte order.
func (d *Data) word(off uint32) (uint32, error) {
	var b [64]byte
	binary.NativeEndian.PutUint32(b[0:], d.Number)
	binary.NativeEndian.PutUint32(b[4:], d.Arch)
	binary.NativeEndian.PutUint64(b[8:], d.IP)
	for i, a := range d.Args {
		binary.NativeEndian.PutUint64(b[16+8*i:], a)
	}
	if off%4 != 0 || off >= uint32(len(b)) {
		return 0, fmt.Errorf("load at offset %d", off)
	}
	return binary.NativeEndian.Uint32(b[off:]), nil
}

// Program is a program that can be run.
type Program []unix.SockFilter

// Parse parses an array of struct sock_filter.
func Parse(b []byte) (Program, error) {
	if len(b) == 0 || len(b)%8 != 0 || len(b)/8 > 4096 {
		return nil, fmt.Errorf("a program cannot have %d bytes", len(b))
	}
	p := make(Program, len(b)/8)
	for i := range p {
		f := b[8*i:]
		p[i] = unix.SockFilter{
			Code: binary.NativeEndian.Uint16(f), Jt: f[2], Jf: f[3],
			K: binary.NativeEndian.Uint32(f[4:]),
		}
	}
	if p[len(p)-1].Code&7 != unix.BPF_RET {
		return nil, errors.New("the last instruction is no return")
	}
	return p, nil
}

// Run returns the program's result for d.
func (p Program) Run(d *Data) (uint32, error) {
	var acc uint32
	for pc := 0; pc < len(p); pc++ {
		in := &p[pc]
		switch in.Code {
		case unix.BPF_RET | unix.BPF_K:
			return in.K, nil
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			v, err := d.word(in.K)
			if err != nil {
				return 0, fmt.Errorf("instruction %d: %w", pc, err)
			}
			acc = v
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= in.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		default:
			taken, err := branch(in, acc)
			if err != nil {
				return 0, fmt.Errorf("instruction %d: %w", pc, err)
			}
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
	}
	return 0, errors.New("ran off the end")
}

func branch(in *unix.SockFilter, acc uint32) (bool, error) {
	switch in.Code {
	case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
		return acc == in.K, nil
	case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
		return acc >= in.K, nil
	case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
		return acc > in.K, nil
	case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
		return acc&in.K != 0, nil
	}
	return false, fmt.Errorf("unexpected code %#x", in.Code)
}
