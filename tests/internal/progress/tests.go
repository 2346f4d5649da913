// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// tests reads the output of a test binary with -test.v, which runs one top-level test after
// another. It returns the output without -test.v: that of failed tests. So a run of hundreds of
// tests can show which one it is at.
type tests struct {
	// now is the current test, and held is its output.
	now, held string
	// heading is the line with the name of the subtest that prints the next lines. It is only
	// needed if there are any.
	heading string
	done    int
}

// line handles a line, and returns what is to be printed.
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
		// It follows the line of its parent test.
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

// text handles a line that is printed by a test, or outside of tests.
func (t *tests) text(line string) string {
	if t.now == "" {
		return line
	}
	t.held += t.heading + line
	t.heading = ""
	return ""
}

// end ends the current test, and returns its output.
func (t *tests) end() string {
	t.done++
	held := t.held
	t.now, t.held, t.heading = "", "", ""
	return held
}

// rest returns the output of the last test if it has not ended.
func (t *tests) rest() string {
	held := t.held
	t.held = ""
	return held
}
