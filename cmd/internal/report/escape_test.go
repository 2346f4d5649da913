// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"container does not exist", "container does not exist"},
		{"two\nlines", `two\nlines`},
		{"\x1b[31mred", `\x1b[31mred`},
		{"Grüße 容器", "Grüße 容器"},
		{"bad \xff byte", `bad \xff byte`},
		{"replaced \ufffd before", "replaced \ufffd before"},
		{"right-to-left \u202e override", `right-to-left \u202e override`},
		{"del \x7f nul \x00", `del \x7f nul \x00`},
		{"c1 \u009b31m", `c1 \u009b31m`},
	}
	for _, test := range tests {
		if got := Printable(test.in); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	a, b, quoted := errors.New("a"), errors.New("b"), errors.New("open x\ny: gone")
	for _, test := range []struct {
		in   error
		want string
	}{
		{a, "a"},
		{errors.Join(a, b), "a; b"},
		{fmt.Errorf("both: %w", errors.Join(a, b)), "both: a; b"},
		{errors.Join(fmt.Errorf("x: %w", errors.Join(a, b)), b), "x: a; b; b"},
		{fmt.Errorf("%w, then %w", errors.Join(a, b), b), "a; b, then b"},
		{quoted, "open x\ny: gone"},
		{errors.Join(a, quoted), "a; open x\ny: gone"},
		{fmt.Errorf("more: %w", quoted), "more: open x\ny: gone"},
	} {
		if got := oneLine(test.in); got != test.want {
			t.Errorf("oneLine(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestMessageKeepsHeadAndTail(t *testing.T) {
	in := "open " + strings.Repeat("x", 1<<20) + ": file name too long"
	got := message(in)
	if len(got) > messageHead+messageTail+64 {
		t.Errorf("message of %d bytes has %d", len(in), len(got))
	}
	if !strings.HasPrefix(got, "open x") || !strings.HasSuffix(got, "file name too long") {
		t.Errorf("head or tail lost: %.20q … %q", got, got[len(got)-20:])
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("a\nb\x1b\xff\u2028")
	f.Add(strings.Repeat("é", 4000))
	f.Fuzz(func(t *testing.T, text string) {
		got := message(text)
		if !utf8.ValidString(got) {
			t.Errorf("message(%q) is not UTF-8: %q", text, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("message(%q) holds %U", text, r)
			}
		}
	})
}
