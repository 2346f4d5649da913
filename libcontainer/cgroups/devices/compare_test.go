// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, attached string
		others         int
		rules          string
		want           Filters
	}{
		{"the same", "+c 1:3 r", 0, "+c 1:3 r", Filters{Asked: true}},
		{"rules that come to the same", "+c 1:3 r", 0, "+c 1:5 r, -c 1:5 rwm, +c 1:3 r", Filters{Asked: true}},
		{"others", "+c 1:3 r", 0, "+c 1:3 rw", Filters{Others: 1}},
		{"none", "", 0, "+c 1:3 r", Filters{}},
		{"none needed", "", 0, "+a *:* rwm", Filters{Asked: true}},
		{"none needed, but one there", "", 1, "+a *:* rwm", Filters{Others: 1}},
		{"one more", "+c 1:3 r", 2, "+c 1:3 r", Filters{Asked: true, Others: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := cgroup(t)
			if c.attached != "" {
				if err := Attach(dir, parse(t, c.attached), true); err != nil {
					t.Fatal(err)
				}
			}
			attachOld(t, dir, c.others, unix.BPF_F_ALLOW_MULTI)
			got, err := Compare(dir, parse(t, c.rules))
			if err != nil || got != c.want {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestListed(t *testing.T) {
	for _, c := range []struct {
		rules, text string
		same, known bool
	}{
		{"+c 1:3 r", "c 1:3 r\n", true, true},
		{"+c 1:3 r, +c 1:3 w", "c 1:3 rw\n", true, true},
		{"+c 1:3 r, +b 8:* rw", "b 8:* rw\nc 1:3 r\n", true, true},
		{"+c 1:3 r", "c 1:3 rw\n", false, true},
		{"+c 1:3 r", "", false, true},
		{"+c 1:3 r", "a *:* rwm\n", false, true},
		{"-c 1:3 r", "", true, true},
		{"+a *:* rwm", "a *:* rwm\n", true, true},
		{"+a *:* rwm", "c 1:3 rwm\n", false, true},
		{"+a *:* rwm, -c 1:3 r", "a *:* rwm\n", true, false},
		{"+a *:* rwm, -c 1:3 r", "c 1:3 r\n", false, true},
	} {
		same, known, err := Listed(c.text, parse(t, c.rules))
		if err != nil || same != c.same || known != c.known {
			t.Errorf("%s, %q: %v, %v, %v", c.rules, c.text, same, known, err)
		}
	}
	if _, _, err := Listed("", parse(t, "+c 1:* rwm, -c 1:3 w")); err == nil {
		t.Error("rules that v1 cannot express are compared")
	}
}

func TestText(t *testing.T) {
	for rules, want := range map[string]string{
		"-a *:* rwm":                       "deny all",
		"+a *:* rwm":                       "allow all",
		"+c 1:3 r":                         "allow c 1:3 r; deny the rest",
		"+c 1:3 r, +b 8:* rw, -b 8:1 w":    "allow c 1:3 r, b 8:* rw; deny b 8:1 w; deny the rest",
		"+a *:* rwm, -c 1:3 r, -b 8:* rwm": "deny c 1:3 r, b 8:* rwm; allow the rest",
	} {
		if got := Text(parse(t, rules)); got != want {
			t.Errorf("%s: %q", rules, got)
		}
	}
}
