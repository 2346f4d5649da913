// SPDX-License-Identifier: Apache-2.0

package ere

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		expression string
		yes, no    string // words
	}{
		{"", "a box-1", ""},
		{"b", "b ab bc abc", "a B"},
		{"^b", "b bc", "ab"},
		{"b$", "b ab", "bc"},
		{"^b$", "b", "ab bc bb"},
		{"^web-[0-9]+$", "web-1 web-12", "web- web-a xweb-1 web-1x"},
		{"^(web|db)$", "web db", "webdb we"},
		{"a|b|c", "a xb c", "d"},
		{"^(a|)$", "a", "b"},
		{"x.z", "xyz x.z x-z", "xz"},
		{`x\.z`, "x.z", "xyz"},
		{`\*\$\^\_`, "*$^_", "*$^"},
		{"^ab*c$", "ac abc abbbc", "abdc"},
		{"^ab+c$", "abc abbbc", "ac"},
		{"^ab?c$", "ac abc", "abbc"},
		{"^a{2}$", "aa", "a aaa"},
		{"^a{2,}$", "aa aaaaa", "a"},
		{"^a{1,2}$", "a aa", "aaa"},
		{"^a{0}b$", "b", "ab"},
		{"^a{0,0}b$", "b", "ab"},
		{"^(ab){2}c$", "ababc", "abc abab"},
		{"^(a{2}){2}$", "aaaa", "aa aaa aaaaa"},
		{"^a**$", "a aaa", "b"},
		{"a{x}", "a{x}", "ax"},
		{"a{,2}", "a{,2}", "a"},
		{"{a", "{a", "a"},
		{"]", "]", "a"},
		{"[]a]", "] a", "b"},
		{"[^]a]", "b", "] a"},
		{"^[^a-c]$", "d -", "a b c"},
		{"^[a-c-]$", "a c -", "d"},
		{"^[-a]$", "- a", "b"},
		{"^[[:digit:]_]$", "0 9 _", "a"},
		{"^[^[:alpha:]]$", "0 _", "a Z"},
		{"^[[:word:]]+$", "a_Z0", "-"},
		{`^[\]\-]$`, "] -", `\`},
		{"[[:]", "[ :", "a"},
		{"^*a", "a ba", "b"},
		{"a^", "", "a a^"},
		{"()", "a", ""},
		{"(^|-)a(-|$)", "a b-a a-b b-a-b", "ab ba"},
		{"(a*)*b", "b ab", "a"},
		{"(a|a|a|a)*(a|a|a)*(a*)*c", "aaac", strings.Repeat("a", 1000)},
	}
	for _, test := range tests {
		e, err := Compile(test.expression)
		if err != nil {
			t.Errorf("%q: %v", test.expression, err)
			continue
		}
		for want, words := range map[bool]string{true: test.yes, false: test.no} {
			for word := range strings.FieldsSeq(words) {
				if e.Match(word) != want {
					t.Errorf("%q in %q: not %v", test.expression, word, want)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for expression, want := range map[string]string{
		"(":                         "missing )",
		"a)":                        "unexpected )",
		"(a":                        "missing )",
		"*":                         "a repetition of nothing",
		"a|+":                       "a repetition of nothing",
		"(?:a)":                     "a repetition of nothing",
		"{2}":                       "a repetition of nothing",
		"a{2,1}":                    "bad repetition {2,1}",
		"a{1001}":                   "bad repetition {1001}",
		"a{1,99999999999999999999}": "bad repetition {1,99999999999999999999}",
		"[":                         "missing ]",
		"[]":                        "missing ]",
		"[a":                        "missing ]",
		"[a-":                       "missing ]",
		"[b-a]":                     "bad range b-a",
		"[a-c-e]":                   "a hyphen in brackets that is neither first nor last",
		"[[:foo:]]":                 "unknown class [:foo:]",
		"[[.a.]]":                   "unknown class [.a.]",
		"[[=a=]]":                   "unknown class [=a=]",
		`\`:                         `\ at the end`,
		`\d`:                        `unknown escape \d`,
		`[\d]`:                      `unknown escape \d`,
		`[\`:                        `\ at the end`,
		"é":                         `"é" is not ASCII`,
		"((a{1000}){1000}){1000}":   "too many repetitions",
		"((){1000}){1000}":          "too many repetitions",
		strings.Repeat("(", 1001):   "too many parentheses in each other",
	} {
		if _, err := Compile(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", expression, err, want)
		}
	}
}

var leadingZero = regexp.MustCompile(`[{,]0[0-9]`)

// FuzzCompile compares with package regexp: what is accepted matches the same words, and
// what is refused is refused there, but for some of what POSIX leaves undefined.
func FuzzCompile(f *testing.F) {
	for _, expression := range []string{"^(a|b-)*[^0-9[:alpha:]]{2,3}$", `\.x+?()`, "[]-a]b{,3}{1,}", "[^-.]|^|$", "a{00}", "{00}"} {
		f.Add(expression, "ab-.x")
	}
	f.Fuzz(func(t *testing.T, expression, word string) {
		if strings.Contains(word, "\n") {
			return // A line is a word to regexp.
		}
		if leadingZero.MatchString(expression) {
			return // No number to regexp. POSIX does not say; it is one to glibc.
		}
		for _, text := range []string{expression, word} {
			if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
				return
			}
		}
		want, wantErr := regexp.CompilePOSIX(expression)
		got, err := Compile(expression)
		switch {
		case err == nil && wantErr == nil:
			if got.Match(word) != want.MatchString(word) {
				t.Errorf("%q in %q: %v", expression, word, got.Match(word))
			}
		case err == nil:
			var e *syntax.Error
			if !errors.As(wantErr, &e) || e.Code != syntax.ErrInvalidRepeatSize && e.Code != syntax.ErrLarge {
				t.Errorf("%q is accepted: %v", expression, wantErr)
			}
		case wantErr == nil:
			if !strings.Contains(err.Error(), "unknown ") && !strings.Contains(err.Error(), "too many ") {
				t.Errorf("%q: %v", expression, err)
			}
		}
	})
}
