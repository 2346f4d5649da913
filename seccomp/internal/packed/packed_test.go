// SPDX-License-Identifier: Apache-2.0

package packed

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	exe := []byte("executable")
	want := Header{Sum: sha256.Sum256(exe), Size: int64(len(exe)), Library: Version{2, 5, 4}}
	file := append(want.Encode(), exe...)
	r := bytes.NewReader(file)
	got, err := ReadHeader(r)
	if err != nil || *got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != string(exe) {
		t.Errorf("behind the header: %q, %v", rest, err)
	}
	for n := range headerSize {
		if _, err := ReadHeader(bytes.NewReader(file[:n])); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
	if _, err := ReadHeader(bytes.NewReader(make([]byte, 100))); err == nil {
		t.Error("zeros are taken for a header")
	}
}

func TestNotBefore(t *testing.T) {
	for _, c := range []struct {
		v     Version
		since int
		want  bool
	}{{Version{2, 5, 4}, 2005, true}, {Version{2, 5, 4}, 2006, false}, {Version{3, 0, 0}, 2006, true}} {
		if got := c.v.NotBefore(c.since); got != c.want {
			t.Errorf("%v not before %d: %v", c.v, c.since, got)
		}
	}
}
