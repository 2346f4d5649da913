// SPDX-License-Identifier: Apache-2.0

// Package digest checks content against the digests of the image-spec
// (descriptor.md).
//
// SHA-256 is written out here because linking crypto/sha256 costs every start of berth
// 0.03 ms, a fiftieth of a short command, for the one command that reads images: it brings
// the self-tests of FIPS 140 along. A fuzz test holds it to the standard library's.
package digest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// The sizes of SHA-256 (FIPS 180-4) in bytes.
const (
	sumSize    = 32
	blockSize  = 64
	lengthSize = 8
)

// initial are the first 32 bits of the fractional parts of the square roots of the first
// 8 primes.
var initial = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// rounds are those of the cube roots of the first 64 primes.
var rounds = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// SHA256 is the SHA-256 of content.
func SHA256(content []byte) (sum [sumSize]byte) {
	state := initial
	whole := len(content) / blockSize * blockSize
	for i := 0; i < whole; i += blockSize {
		mix(&state, content[i:])
	}
	// The rest, a one bit, zeros, and the length in bits fill one or two blocks more.
	var last [2 * blockSize]byte
	n := copy(last[:], content[whole:])
	last[n] = 0x80
	end := blockSize
	if n+1+lengthSize > blockSize {
		end = 2 * blockSize
	}
	binary.BigEndian.PutUint64(last[end-lengthSize:], uint64(len(content))*8)
	for i := 0; i < end; i += blockSize {
		mix(&state, last[i:])
	}
	for i, word := range state {
		binary.BigEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}

// mix takes one block into the state. The letters are those of the standard.
func mix(state *[8]uint32, block []byte) {
	var w [64]uint32
	for i := range 16 {
		w[i] = binary.BigEndian.Uint32(block[4*i:])
	}
	for i := 16; i < len(w); i++ {
		s0 := bits.RotateLeft32(w[i-15], -7) ^ bits.RotateLeft32(w[i-15], -18) ^ w[i-15]>>3
		s1 := bits.RotateLeft32(w[i-2], -17) ^ bits.RotateLeft32(w[i-2], -19) ^ w[i-2]>>10
		w[i] = s1 + w[i-7] + s0 + w[i-16]
	}
	v := *state
	for i := range w {
		a, b, c, d, e, f, g, h := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
		s1 := bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)
		t1 := h + s1 + (e&f ^ ^e&g) + rounds[i] + w[i]
		s0 := bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)
		v = [8]uint32{t1 + s0 + (a&b ^ a&c ^ b&c), a, b, c, d + t1, e, f, g}
	}
	for i := range v {
		state[i] += v[i]
	}
}

// algorithm is the only one here: it is the one that every implementation must have, and
// that every tool writes.
const algorithm = "sha256"

// Encoded is the part of a digest behind the algorithm, which is a file name and nothing
// else. A digest that is not SHA-256 is an error.
func Encoded(digest string) (string, error) {
	name, encoded, ok := strings.Cut(digest, ":")
	switch {
	case !ok || name == "" || encoded == "":
		return "", fmt.Errorf("not a digest: %q", digest)
	case name != algorithm:
		return "", fmt.Errorf("digest %q is not SHA-256, the only kind that is known", digest)
	case len(encoded) != 2*sumSize || strings.Trim(encoded, "0123456789abcdef") != "":
		return "", fmt.Errorf("not 64 hexadecimal digits in digest %q", digest)
	}
	return encoded, nil
}

// Verify makes sure that content is what the digest says.
func Verify(content []byte, digest string) error {
	want, err := Encoded(digest)
	if err != nil {
		return err
	}
	sum := SHA256(content)
	if got := hex.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the content is another one: its digest is %s:%s", algorithm, got)
	}
	return nil
}
