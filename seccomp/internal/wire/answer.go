// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// InstructionSize is the size of a struct sock_filter.
const InstructionSize = 8

// MaxInstructions is the longest program the kernel takes (BPF_MAXINSNS).
const MaxInstructions = 4096

// Answer is a compiled filter.
type Answer struct {
	// BPF is an array of struct sock_filter in the machine's byte order.
	BPF []byte
	// Unknown are the names of system calls that libseccomp has never heard of,
	// each once.
	Unknown []string
}

// Encode is the answer's bytes.
func (a *Answer) Encode() []byte {
	b := make([]byte, 0, len(a.BPF)+256)
	b = binary.AppendUvarint(b, uint64(len(a.BPF)))
	b = append(b, a.BPF...)
	return appendStrings(b, a.Unknown)
}

// DecodeAnswer is the inverse of Encode. The answer shares memory with b. What
// it returns is of a size that the kernel takes.
func DecodeAnswer(b []byte) (*Answer, error) {
	d := decoder{rest: b}
	a := &Answer{BPF: d.bytes(), Unknown: d.strings()}
	if err := d.finish(); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if n := len(a.BPF); n == 0 || n%InstructionSize != 0 || n > MaxInstructions*InstructionSize {
		return nil, fmt.Errorf("answer: a filter cannot have %d bytes", n)
	}
	return a, nil
}
