// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"strings"
	"testing"
)

// lines joins lines of a document; ' means a backquote.
func lines(list ...string) string {
	return strings.ReplaceAll(strings.Join(list, "\n")+"\n", "'", "`")
}

func TestParse(t *testing.T) {
	text := lines(
		"# A document",
		"",
		"Of '<!-- not run: x -->'.",
		"'''sh",
		"one",
		"",
		"two <<END",
		"    deep",
		"END",
		"'''",
		"",
		"'''output",
		"1",
		"'''",
		"",
		"- an item",
		"",
		"  <!-- not run: takes too long -->",
		"",
		"  '''sh",
		"  three",
		"  '''",
		"'''json",
		"{}",
		"'''",
	)
	d, faults := parse("a.md", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	output := &block{line: 13, lang: "output", text: "1\n"}
	want := []*block{
		{line: 5, lang: "sh", text: "one\n\ntwo <<END\n    deep\nEND\n", output: output},
		output,
		{line: 21, lang: "sh", text: "three\n", notRun: "takes too long"},
		{line: 24, lang: "json", text: "{}\n"},
	}
	if !reflect.DeepEqual(d.blocks, want) {
		t.Errorf("got %+v", d.blocks)
	}
	if got := d.commands(); len(got) != 2 || got[0] != d.blocks[0] || got[1] != d.blocks[2] {
		t.Errorf("commands are %+v", got)
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, text, fault string
	}{
		{"no tag", lines("'''", "x", "'''"), "a.md:1: a block without a tag"},
		{"unknown tag", lines("", "'''shell", "x", "'''"), `a.md:2: unknown tag "shell"`},
		{"no end", lines("'''sh", "x"), "a.md:1: the block does not end"},
		{"another fence", lines("~~~sh", "x"), "a.md:1: a fence is"},
		{"indent", lines("text:", "", "    x"), "a.md:3: a block by its indent alone"},
		{"tab", lines("text:", "", "\tx"), "a.md:3: a block by its indent alone"},
		{"another comment", lines("<!-- to do -->"), "a.md:1: unknown comment"},
		{"another spelling", lines("<!-- not-run: x -->", "'''sh", "x", "'''"), "a.md:1: unknown comment"},
		{"a marker before what is generated", lines("<!-- not run: x -->", "<!-- bench: time v2 -->"), "a.md:1: a marker without a block"},
		{"almost generated", lines("<!-- bench: time -->"), "a.md:1: unknown comment"},
		{"no reason", lines("<!-- not run: -->", "'''sh", "x", "'''"), "a.md:1: unknown comment"},
		{"marker that does not end", lines("<!-- not run: x", "-->"), "a.md:1: unknown comment"},
		{"marker alone", lines("<!-- not run: x -->"), "a.md:1: a marker without a block"},
		{"marker before text", lines("<!-- not run: x -->", "but", "'''sh", "x", "'''"), "a.md:1: a marker without a block"},
		{"marker before a file", lines("<!-- not run: x -->", "'''json", "x", "'''"), "a.md:1: a marker without a block"},
		{"two markers", lines("<!-- not run: x -->", "<!-- not run: y -->", "'''sh", "x", "'''"), "a.md:1: a marker without a block"},
		{"output of nothing", lines("'''output", "x", "'''"), "a.md:1: output without commands"},
		{"output further on", lines("'''sh", "x", "'''", "that gives", "'''output", "x", "'''"), "a.md:5: output without commands"},
		{"output of what is not run", lines("<!-- not run: x -->", "'''sh", "x", "'''", "'''output", "x", "'''"), "a.md:5: output of commands that are not run"},
		{"joined", lines("'''sh", "x", "y && z", "'''"), "a.md:3: commands joined"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, faults := parse("a.md", test.text)
			if len(faults) != 1 || !strings.HasPrefix(faults[0], test.fault) {
				t.Errorf("got %q", faults)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(lines("'''sh", "x", "'''", "<!-- not run: y -->", " '''", "'''"))
	f.Fuzz(func(t *testing.T, text string) {
		d, faults := parse("a.md", text)
		for _, b := range d.commands() {
			if len(faults) == 0 && !strings.Contains(text, "```sh") {
				t.Errorf("commands %q, but the text has none", b.text)
			}
		}
	})
}
