// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDocumented holds help, manual pages and completions to the flag tables:
// every command and option stands in each of them.
func TestDocumented(t *testing.T) {
	pages := manPages()
	bash, fish := bashCompletion(), fishCompletion()
	for _, c := range visibleCommands() {
		page := pages["berth-"+c.name+".8"]
		if c.summary == "" || !strings.Contains(page, roff(c.summary)) {
			t.Errorf("%s: no summary in its manual page", c.name)
		}
		for _, o := range c.options {
			if o.usage == "" {
				t.Errorf("%s --%s: no usage text", c.name, o.long)
			}
			if !strings.Contains(page, roff("--"+o.long)) {
				t.Errorf("%s --%s: not in the manual page", c.name, o.long)
			}
			if !strings.Contains(bash, "--"+o.long) || !strings.Contains(fish, "-l "+o.long) {
				t.Errorf("%s --%s: not in a completion", c.name, o.long)
			}
		}
	}
	if _, ok := pages["berth-man.8"]; ok {
		t.Error("the hidden command has a manual page")
	}
}

func TestRoff(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a-b", `a\-b`},
		{`c:\d`, `c:\ed`},
		{".x\n'y\nz", "\\&.x\n\\&'y\nz"},
	}
	for _, test := range tests {
		if got := roff(test.in); got != test.want {
			t.Errorf("roff(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// TestBashCompletion requires bash.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	tests := []struct{ words, want string }{
		{"berth st", "start state"},
		{"berth --root /x crea", "create"},
		{"berth --ro", "--root --rootless"},
		{"berth kill --a", "--all"},
	}
	for _, test := range tests {
		script := bashCompletion() + `COMP_WORDS=(` + test.words + `); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _berth; echo "${COMPREPLY[*]}"`
		out, err := exec.Command(bash, "--norc", "-c", script).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
			t.Errorf("%q completes to %q (%v), want %q", test.words, got, err, test.want)
		}
	}
}
