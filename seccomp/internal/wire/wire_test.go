// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

func sampleRequest() *Request {
	return &Request{
		Default: 0x80000000, Stub: true, Archs: []string{"SCMP_ARCH_ARM"},
		Rules: []Rule{
			{Index: 3, Action: 0x7fff0000, Names: []string{"read", ""}},
			{Index: 4, Names: []string{"a"}, Args: []Arg{{5, MaskedEqual, 1<<64 - 1, 7}, {0, NotEqual, 0, 0}}},
		},
	}
}

func TestRequestRoundTrip(t *testing.T) {
	want := sampleRequest()
	b := want.Encode()
	got, err := DecodeRequest(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := DecodeRequest(b[:n]); err == nil {
			t.Errorf("cut at %d of %d: no error", n, len(b))
		}
	}
	if _, err := DecodeRequest(append(b, 0)); err == nil {
		t.Error("a byte left over: no error")
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	want := &Answer{BPF: bytes.Repeat([]byte{1}, 16), Unknown: []string{"x", "yy"}}
	b := want.Encode()
	got, err := DecodeAnswer(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := DecodeAnswer(b[:n]); err == nil {
			t.Errorf("cut at %d of %d: no error", n, len(b))
		}
	}
}

func TestAnswerSize(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 7: false, 8: true, 8 * 4096: true, 8*4096 + 8: false} {
		a := &Answer{BPF: make([]byte, n)}
		if _, err := DecodeAnswer(a.Encode()); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestArchsAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(Archs(), func(a, b Arch) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
		t.Error("they are not")
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(sampleRequest().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		again, err := DecodeRequest(r.Encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add((&Answer{BPF: make([]byte, 8), Unknown: []string{"x"}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeAnswer(b)
		if err != nil {
			return
		}
		if again, err := DecodeAnswer(a.Encode()); err != nil || !reflect.DeepEqual(again, a) {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
	})
}
