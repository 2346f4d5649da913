// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mark begins the lines that the script prints around a block. It is a character that no command
// prints.
const mark = "\x1e"

// script returns the script of a document: all blocks of commands that can be run, in one bash.
// The line numbers in its marks are those of the document.
func (d *document) script() string {
	var s strings.Builder
	fmt.Fprintf(&s, "set -eu -o pipefail\n"+
		"mark_block() { printf '\\n%s%%s\\n' \"$*\"; }\n", mark)
	for _, b := range d.commands() {
		if b.notRun != "" {
			continue
		}
		// The status is needed where errexit does not end the shell: a command after "!".
		fmt.Fprintf(&s, "mark_block begin %d\n%smark_block end %d $?\n", b.line, b.text, b.line)
	}
	return s.String()
}

// transcript parses the output of a document's script, and judges each block when it ends.
type transcript struct {
	doc  *document
	out  io.Writer
	line []byte
	// current is the block that runs, begun the time of its start, and said its output.
	current *block
	begun   time.Time
	said    bytes.Buffer
	passed  int
	// failed is set if a block has failed.
	failed bool
}

// Write parses a part of the output. It never fails.
func (t *transcript) Write(p []byte) (int, error) {
	t.line = append(t.line, p...)
	for {
		line, rest, found := bytes.Cut(t.line, []byte{'\n'})
		if !found {
			return len(p), nil
		}
		t.take(string(line))
		t.line = append(t.line[:0:0], rest...)
	}
}

// take parses a line without its newline.
func (t *transcript) take(line string) {
	words, ok := strings.CutPrefix(line, mark)
	if !ok {
		t.said.WriteString(line + "\n")
		return
	}
	var n, status int
	switch fields := strings.Fields(words); fields[0] {
	case "begin":
		n, _ = strconv.Atoi(fields[1])
		t.begin(n)
	case "end":
		status, _ = strconv.Atoi(fields[2])
		t.end(status)
	}
}

func (t *transcript) begin(n int) {
	for _, b := range t.doc.commands() {
		if b.line == n {
			t.current = b
		}
	}
	first, _, _ := strings.Cut(t.current.text, "\n")
	say(t.out, "%s:%d: %s\n", t.doc.name, n, first)
	t.begun = time.Now()
	t.said.Reset()
}

// end judges the current block by the status of its last command and by its output.
func (t *transcript) end(status int) {
	b := t.current
	t.current = nil
	// The mark begins with a newline that is not part of the block's output.
	said := strings.TrimSuffix(t.said.String(), "\n")
	switch {
	case status != 0:
		t.fail(b, said, fmt.Sprintf("exit status %d", status))
	case b.output != nil && !matches(b.output.text, said):
		t.fail(b, said, "the output is not what the document says:\n"+indent(b.output.text))
	default:
		t.passed++
		say(t.out, "    ok, %d s\n", int(time.Since(t.begun).Seconds()))
	}
}

// close judges the block in which the script has ended, if there is one.
func (t *transcript) close(err error) {
	if len(t.line) > 0 {
		t.take(string(t.line))
		t.line = nil
	}
	switch {
	case t.current != nil:
		t.fail(t.current, t.said.String(), fmt.Sprint("the shell has ended: ", err))
	case err != nil:
		t.failed = true
		say(t.out, "%s: %v\n%s", t.doc.name, err, indent(t.said.String()))
	}
}

func (t *transcript) fail(b *block, said, reason string) {
	t.failed = true
	say(t.out, "    FAILED, %d s: %s\n  the commands:\n%s  they print:\n%s",
		int(time.Since(t.begun).Seconds()), strings.TrimSuffix(reason, "\n"), indent(b.text), indent(last(said)))
}

// last returns the end of a text: the output of a package manager at its beginning is not why a
// block has failed.
func last(text string) string {
	const most = 40
	list := strings.SplitAfter(text, "\n")
	if len(list) <= most {
		return text
	}
	return "…\n" + strings.Join(list[len(list)-most:], "")
}

func indent(text string) string {
	var s strings.Builder
	for line := range strings.Lines(text) {
		s.WriteString("    | " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return s.String()
}

// matches reports whether an output is as the document shows it. There "…" matches anything in a
// line, and a line of its own matches any lines.
func matches(shown, said string) bool {
	var s strings.Builder
	s.WriteString(`^`)
	for line := range strings.Lines(shown) {
		line = strings.TrimRight(line, " \n")
		if line == "…" {
			s.WriteString(`(?:.*\n)*`)
			continue
		}
		s.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + ` *\n`)
	}
	s.WriteString(`$`)
	if said != "" && !strings.HasSuffix(said, "\n") {
		said += "\n"
	}
	return regexp.MustCompile(s.String()).MatchString(strings.ReplaceAll(said, "\r", ""))
}
