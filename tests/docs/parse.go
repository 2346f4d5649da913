// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// languages are the tags of fenced blocks. sh are commands, and output is what the commands
// before it print. The others are for readers and their editors.
var languages = []string{"sh", "output", "c", "go", "ini", "json", "text", "toml", "yaml"}

const (
	fence  = "```"
	marker = "not run: "
)

// document is one Markdown file.
type document struct {
	// name is the path from the repository's root.
	name   string
	blocks []*block
}

// block is one fenced block.
type block struct {
	// line is the number of its first line of text, from 1.
	line int
	lang string
	// text has all lines, each with its newline.
	text string
	// notRun is the reason in the marker before a block of commands, if there is one.
	notRun string
	// output is the block after these commands, if its tag says so.
	output *block
}

// commands returns the blocks of commands.
func (d *document) commands() []*block {
	var list []*block
	for _, b := range d.blocks {
		if b.lang == "sh" {
			list = append(list, b)
		}
	}
	return list
}

// reader reads the lines of a document.
type reader struct {
	doc *document
	// open is the block that is being read, and indent is the indentation of its lines.
	open   *block
	indent string
	// notRun is the reason in a marker whose block must follow, possibly after empty lines.
	// markerLine is the marker's line.
	notRun     string
	markerLine int
	// last is the block of commands to which an output block may belong.
	last *block
	// afterEmpty means that the previous line was empty.
	afterEmpty bool
	faults     []string
}

// parse reads a document, and returns all faults of its blocks, each with file and line. It knows
// as much of Markdown as the documents use. It refuses what would hide a command from it: other
// kinds of fences, indented blocks, other comments.
func parse(name, text string) (*document, []string) {
	r := &reader{doc: &document{name: name}, afterEmpty: true}
	line := 0
	for s := range strings.Lines(text) {
		line++
		r.line(line, strings.TrimSuffix(s, "\n"))
	}
	if r.open != nil {
		r.fault(r.open.line-1, "the block does not end")
	}
	r.dropMarker()
	return r.doc, r.faults
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf("%s:%d: ", r.doc.name, line)+fmt.Sprintf(format, args...))
}

func (r *reader) line(n int, s string) {
	trimmed := strings.TrimSpace(s)
	if r.open != nil {
		if trimmed == fence {
			r.end()
			return
		}
		r.open.text += strings.TrimPrefix(s, r.indent) + "\n"
		return
	}
	afterEmpty := r.afterEmpty
	r.afterEmpty = trimmed == ""
	switch {
	case trimmed == "":
	case strings.HasPrefix(trimmed, fence):
		r.begin(n, s, trimmed)
	case strings.Contains(prose(s), "<!--"):
		r.comment(n, trimmed)
	case strings.HasPrefix(trimmed, "~~~"):
		r.fault(n, "a fence is %s here", fence)
	case afterEmpty && (strings.HasPrefix(s, "    ") || strings.HasPrefix(s, "\t")):
		r.fault(n, "a block by its indent alone: give it a fence")
	default:
		r.dropMarker()
		r.last = nil
	}
}

// begin starts a block.
func (r *reader) begin(n int, s, trimmed string) {
	lang := strings.TrimPrefix(trimmed, fence)
	b := &block{line: n + 1, lang: lang}
	r.open, r.indent = b, s[:strings.Index(s, fence)]
	switch {
	case lang == "":
		r.fault(n, "a block without a tag: sh for commands, text for what is nothing else")
	case !slices.Contains(languages, lang):
		r.fault(n, "unknown tag %q (known: %s)", lang, strings.Join(languages, ", "))
	case lang == "sh":
		b.notRun, r.notRun = r.notRun, ""
	case lang == "output" && r.last == nil:
		r.fault(n, "output without commands right before it")
	case lang == "output" && r.last.notRun != "":
		r.fault(n, "output of commands that are not run: tag it as text")
	case lang == "output":
		r.last.output = b
	}
	r.dropMarker()
}

// end closes the open block.
func (r *reader) end() {
	b := r.open
	r.open, r.last = nil, nil
	r.doc.blocks = append(r.doc.blocks, b)
	if b.lang != "sh" {
		return
	}
	r.last = b
	n := b.line
	for s := range strings.Lines(b.text) {
		// errexit ignores the failure of a command before it.
		if strings.Contains(s, "&&") {
			r.fault(n, "commands joined by &&: give each a line, or the failure of the first one is not seen")
		}
		n++
	}
}

// prose returns a line without the text between backquotes.
func prose(s string) string {
	var kept strings.Builder
	for i, part := range strings.Split(s, "`") {
		if i%2 == 0 {
			kept.WriteString(part)
		}
	}
	return kept.String()
}

// generated are the comments around what a program has written, which is not of interest here.
var generated = regexp.MustCompile(`^<!-- bench: \w+ v[12] -->$|^<!-- bench end -->$`)

// comment parses an HTML comment, which must be a marker.
func (r *reader) comment(n int, s string) {
	r.dropMarker()
	if generated.MatchString(s) {
		return
	}
	inner, ok := strings.CutPrefix(s, "<!-- "+marker)
	reason, closed := strings.CutSuffix(inner, " -->")
	if !ok || !closed || reason == "" {
		r.fault(n, "unknown comment %q: there is <!-- %sREASON --> alone", s, marker)
		return
	}
	r.notRun, r.markerLine = reason, n
}

// dropMarker reports a marker that is not followed by a block of commands.
func (r *reader) dropMarker() {
	if r.notRun != "" {
		r.fault(r.markerLine, "a marker without a block of commands right after it")
		r.notRun = ""
	}
}
