// SPDX-License-Identifier: Apache-2.0

package digest

import (
	"strings"
	"testing"
)

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
