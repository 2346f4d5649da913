// SPDX-License-Identifier: Apache-2.0

// Package packed is the file format of the compiler that berth carries: the
// executable after a header that says what it is, so that no run of berth has to
// hash or run it to find out.
//
// The executable is not compressed. That would save 1.5 MB of the 2.7 MB it adds
// to berth, and cost 14 ms (measured) at every profile that is not in the cache,
// more than all the rest there; data that nobody reads costs a process nothing.
package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic starts the file.
const magic = "berthsc1"

// Version is a version of libseccomp.
type Version struct{ Major, Minor, Micro uint8 }

// NotBefore compares with a version given as major*1000 + minor.
func (v Version) NotBefore(since int) bool {
	return int(v.Major)*1000+int(v.Minor) >= since
}

// Header is what stands before the executable.
type Header struct {
	// Sum is the SHA-256 of the executable.
	Sum [sumSize]byte
	// Size is its size in bytes.
	Size int64
	// Library is the libseccomp in it.
	Library Version
}

// sumSize is that of crypto/sha256, which berth is not to link.
const sumSize = 32

const headerSize = len(magic) + sumSize + 8 + 3

// Encode is the header's bytes.
func (h *Header) Encode() []byte {
	b := append([]byte(magic), h.Sum[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Size))
	return append(b, h.Library.Major, h.Library.Minor, h.Library.Micro)
}

// ReadHeader reads the header, and leaves r where the executable starts.
func ReadHeader(r io.Reader) (*Header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, fmt.Errorf("packed compiler: %w", err)
	}
	rest := b[len(magic):]
	if string(b[:len(magic)]) != magic {
		return nil, errors.New("packed compiler: not one")
	}
	h := &Header{Sum: [sumSize]byte(rest)}
	rest = rest[sumSize:]
	h.Size = int64(binary.LittleEndian.Uint64(rest))
	h.Library = Version{rest[8], rest[9], rest[10]}
	return h, nil
}
