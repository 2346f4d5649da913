// SPDX-License-Identifier: Apache-2.0

// Package digest checks content against the digests of the image-spec
// (descriptor.md).
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// algorithm is the only supported one. Every implementation must support it, and every tool
// writes it.
const algorithm = "sha256"

// Encoded returns the part of a digest after the algorithm, which is safe as a file name. A
// digest that is not SHA-256 is an error.
func Encoded(digest string) (string, error) {
	name, encoded, ok := strings.Cut(digest, ":")
	switch {
	case !ok || name == "" || encoded == "":
		return "", fmt.Errorf("not a digest: %q", digest)
	case name != algorithm:
		return "", fmt.Errorf("digest %q is not SHA-256, the only kind that is known", digest)
	case len(encoded) != 2*sha256.Size || strings.Trim(encoded, "0123456789abcdef") != "":
		return "", fmt.Errorf("not 64 hexadecimal digits in digest %q", digest)
	}
	return encoded, nil
}

// Verify checks that content matches the digest.
func Verify(content []byte, digest string) error {
	want, err := Encoded(digest)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the content is another one: its digest is %s:%s", algorithm, got)
	}
	return nil
}
