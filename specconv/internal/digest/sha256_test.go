// SPDX-License-Identifier: Apache-2.0

package digest

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// TestSHA256 tries every length around the ends of blocks.
func TestSHA256(t *testing.T) {
	content := bytes.Repeat([]byte("berth\x00\xff"), 64)
	for n := range 260 {
		if got, want := SHA256(content[:n]), sha256.Sum256(content[:n]); got != want {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

func FuzzSHA256(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if got, want := SHA256(content), sha256.Sum256(content); got != want {
			t.Errorf("%x, want %x", got, want)
		}
	})
}

func TestVerify(t *testing.T) {
	const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if err := Verify(nil, empty); err != nil {
		t.Error(err)
	}
	for digest, want := range map[string]string{
		"":                                        `not a digest: ""`,
		"sha256":                                  `not a digest: "sha256"`,
		"sha256:":                                 `not a digest: "sha256:"`,
		"sha512:" + strings.Repeat("0", 128):      "is not SHA-256",
		"sha256:../../../etc/passwd":              "not 64 hexadecimal digits",
		strings.ToUpper(empty):                    "is not SHA-256",
		"sha256:" + strings.ToUpper(empty[7:]):    "not 64 hexadecimal digits",
		"sha256:" + strings.Repeat("0", 64):       "the content is another one: its digest is " + empty,
		"sha256:" + strings.Repeat("./", 32):      "not 64 hexadecimal digits",
		"sha256:" + strings.Repeat("0", 63) + "/": "not 64 hexadecimal digits",
	} {
		if err := Verify(nil, digest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", digest, err, want)
		}
	}
}
