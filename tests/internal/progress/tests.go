// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// tests reads what a test binary prints with -test.v, one top-level test after another, and
// makes of it what the binary prints without: that of the tests that fail. So a run of
// hundreds can say which one it is at.
type tests struct {
	// now is the test that runs, held what it has printed.
	now, held string
	// heading says whose the next lines are; it is only wanted if there are any.
	heading string
	done    int
}

// line takes a line, and returns what is to be shown.
func (t *tests) line(line string) string {
	word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	fields := strings.Fields(rest)
	if word != "===" && word != "---" || len(fields) < 2 {
		return t.text(line)
	}
	below := line[0] == ' '
	switch what, name := fields[0], fields[1]; {
	case word == "===":
		t.heading = ""
		if strings.Contains(name, "/") {
			t.heading = line
		} else if what == "RUN" {
			t.now = name
		}
		return ""
	case below && what == "FAIL:":
		// After the line of the test that it is a part of.
		return line
	case below:
		return ""
	case what == "FAIL:":
		return t.end() + line
	default:
		t.end()
		return ""
	}
}

// text takes a line that a test prints, or what runs it.
func (t *tests) text(line string) string {
	if t.now == "" {
		return line
	}
	t.held += t.heading + line
	t.heading = ""
	return ""
}

// end ends the test that runs, and returns what it has printed.
func (t *tests) end() string {
	t.done++
	held := t.held
	t.now, t.held, t.heading = "", "", ""
	return held
}

// rest is what the last test has printed, which did not come to its end.
func (t *tests) rest() string {
	held := t.held
	t.held = ""
	return held
}
