// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

const repository = "../.."

// TestDocuments checks what needs no commands run: tags, markers, and that JSON is valid.
func TestDocuments(t *testing.T) {
	docs, err := readDocuments(repository, nil)
	if err != nil {
		t.Fatal(err)
	}
	if docs[0].name != "README.md" || len(docs[0].commands()) == 0 {
		t.Errorf("%s is the first document, with %d blocks of commands", docs[0].name, len(docs[0].commands()))
	}
	var used []string
	for _, d := range docs {
		for _, b := range d.blocks {
			used = append(used, strings.Split(b.notRun, "; ")...)
			if b.lang == "json" && !json.Valid([]byte(b.text)) {
				t.Errorf("%s:%d: invalid JSON", d.name, b.line)
			}
		}
	}
	for _, reason := range reasons {
		if !slices.Contains(used, reason) {
			t.Errorf("no document uses the reason %q", reason)
		}
	}
}

// TestLinks: every link within the repository leads to something that exists.
func TestLinks(t *testing.T) {
	docs, err := readDocuments(repository, nil)
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, d := range docs {
		text, err := os.ReadFile(filepath.Join(repository, d.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			file, section, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			path := filepath.Join(repository, d.name)
			if file != "" {
				path = filepath.Join(filepath.Dir(path), file)
			}
			target, err := os.ReadFile(path)
			if err != nil || section != "" && !slices.Contains(sections(string(target)), section) {
				t.Errorf("%s: a link to %s leads nowhere", d.name, m[1])
			}
		}
	}
}

// sections returns the anchors of a document's headings.
func sections(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading)))
	}
	return names
}

func TestCheckMarker(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"Makefile":                    "all: build ## build it\ntest: all lint ## test it\n",
		".ci/run":                     "make test\nmake soak N=3\n",
		"tests/integration/x_test.go": "func TestKnown(t *testing.T) {\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ marker, commands, fault string }{
		{"takes too long", "x\n", ""},
		{"is not nice", "x\n", "unknown reason"},
		{"takes too long; is not nice", "x\n", "unknown reason"},
		{".ci/run runs it", "make test   # all\nmake soak\n", ""},
		{".ci runs it", "make test\n", ""},
		{".ci/run runs it", "make lint\n", ""},
		{".ci/run runs it", "make fuzz\n", `.ci/run does not run "make fuzz"`},
		{".ci/run runs it", "make tes\n", `.ci/run does not run "make tes"`},
		{".ci/ran runs it", "make test\n", "no such file"},
		{"takes too long; TestKnown shows it", "x\n", ""},
		{"TestUnknown shows it", "x\n", "there is no test TestUnknown"},
	}
	for _, test := range tests {
		err := checkMarker(root, &block{notRun: test.marker, text: test.commands})
		if test.fault == "" && err != nil || test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
			t.Errorf("%q before %q: %v", test.marker, test.commands, err)
		}
	}
}

// perform1 runs a document's blocks in a shell of this machine.
func perform1(t *testing.T, text string) (transcript, string) {
	t.Helper()
	d, faults := parse("a.md", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	room := filepath.Join(t.TempDir(), "room")
	if err := os.WriteFile(room, []byte("#!/bin/sh\nexec bash -c \"$3\" </dev/null\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	return perform(context.Background(), &options{room: room, timeout: time.Minute}, d, &out), out.String()
}

func TestPerform(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	sh := func(list ...string) string { return lines(append(append([]string{"'''sh"}, list...), "'''")...) }
	output := func(list ...string) string {
		return lines(append(append([]string{"'''output"}, list...), "'''")...)
	}
	const marked = "<!-- not run: takes too long -->\n"
	tests := []struct {
		name, text string
		counts     [4]int
	}{
		{"state is shared", sh("x=1", "cd /") + sh(`[ "$x" = 1 ]`, `[ "$PWD" = / ]`), [4]int{2, 2, 0, 0}},
		{"one that fails", sh("true") + sh("false", "true") + sh("true"), [4]int{3, 1, 2, 0}},
		{"in a pipe", sh("false | true"), [4]int{1, 0, 1, 0}},
		{"unset", sh("echo $unset_variable"), [4]int{1, 0, 1, 0}},
		{"that should fail", sh("! true") + sh("! false"), [4]int{2, 1, 1, 0}},
		{"exit", sh("exit 0") + sh("true"), [4]int{2, 0, 2, 0}},
		{"syntax", sh("true") + sh("if"), [4]int{2, 1, 1, 0}},
		{"not run", sh("true") + marked + sh("false"), [4]int{2, 1, 0, 1}},
		{"nothing to run", marked + sh("false"), [4]int{1, 0, 0, 1}},
		{"output", sh("echo a; echo b >&2") + output("a", "b"), [4]int{1, 1, 0, 0}},
		{"no newline", sh("printf a") + output("a"), [4]int{1, 1, 0, 0}},
		{"another output", sh("echo a") + output("b") + sh("true"), [4]int{2, 1, 1, 0}},
		{"too much output", sh("echo a; echo b") + output("a"), [4]int{1, 0, 1, 0}},
		{"stdin", sh("cat") + output(), [4]int{1, 1, 0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr, said := perform1(t, test.text)
			if got := count(tr.doc, &tr, map[string][]string{}); got != test.counts {
				t.Errorf("all, passed, failed, not run: %v, not %v\n%s", got, test.counts, said)
			}
			if failed := test.counts[2] > 0; failed != strings.Contains(said, "FAILED") {
				t.Errorf("it says\n%s", said)
			}
		})
	}
}

// TestRoomFails: if there is no machine, every document fails.
func TestRoomFails(t *testing.T) {
	d, _ := parse("a.md", lines("'''sh", "true", "'''"))
	var out strings.Builder
	tr := perform(context.Background(), &options{room: "/bin/false", timeout: time.Minute}, d, &out)
	if got := count(d, &tr, map[string][]string{}); got != [4]int{1, 0, 1, 0} || !tr.failed {
		t.Errorf("got %v\n%s", got, out.String())
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		shown, said string
		want        bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a", true},
		{"a\n", "a  \r\n", true},
		{"a\n", "a\nb\n", false},
		{"a\nb\n", "a\n", false},
		{"a.c\n", "abc\n", false},
		{"time … ms\n", "time 3.2 ms\n", true},
		{"time … ms\n", "time\nms\n", false},
		{"a\n…\nz\n", "a\nb\nc\nz\n", true},
		{"a\n…\nz\n", "a\nz\n", true},
		{"a\n…\nz\n", "a\nb\n", false},
		{"", "", true},
		{"", "a\n", false},
	}
	for _, test := range tests {
		if got := matches(test.shown, test.said); got != test.want {
			t.Errorf("matches(%q, %q) = %v", test.shown, test.said, got)
		}
	}
}
