// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// These are the lines that the script in the machine prints around a batch.
const (
	beginMark = "== batch "
	endMark   = "== end of batch "
)

// report is the result of one batch.
type report struct {
	batch, machine string
	// status is the exit status of the batch; -1 until it has ended.
	status, seconds int
	passed, failed  []string
	skipped         []skipped
}

// skipped is a test that did not run.
type skipped struct{ test, reason string }

// parser reads the output of `go test -v`, and prints the relevant parts at once: those outside
// of tests, and those of tests that fail.
type parser struct {
	mu      sync.Mutex
	out     io.Writer
	machine string
	verbose bool
	partial []byte
	// test is the test to which the lines belong, and said the output of the tests by name.
	test string
	// telling means that progress reports are read.
	telling bool
	said    map[string][]string
	reports []*report
}

func newParser(out io.Writer, machine string, verbose bool) *parser {
	return &parser{out: out, machine: machine, verbose: verbose, said: make(map[string][]string)}
}

// Write parses a part of the output. It never fails.
func (p *parser) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(b)
	for {
		before, after, found := bytes.Cut(b, []byte{'\n'})
		p.partial = append(p.partial, before...)
		if !found {
			return n, nil
		}
		p.line(strings.TrimSuffix(string(p.partial), "\r"))
		p.partial, b = p.partial[:0], after
	}
}

// tell reports to tests/internal/progress, if that reads it, which test runs and how many have
// ended on this machine.
func (p *parser) tell(r *report) {
	if !p.telling {
		return
	}
	ended := 0
	for _, r := range p.reports {
		ended += len(r.passed) + len(r.failed) + len(r.skipped)
	}
	_, _ = fmt.Fprintf(p.out, "@progress %d 0 %s, %s: %s\n", ended, p.machine, r.batch, p.test)
}

// line parses a line.
func (p *parser) line(s string) {
	if p.verbose {
		_, _ = fmt.Fprintln(p.out, s) // the result does not depend on the output
	}
	if name, ok := strings.CutPrefix(s, beginMark); ok {
		p.end()
		p.reports = append(p.reports, &report{batch: name, machine: p.machine, status: -1})
		p.print(s + " on " + p.machine)
		return
	}
	if len(p.reports) == 0 {
		p.print(s)
		return
	}
	r := p.reports[len(p.reports)-1]
	if rest, ok := strings.CutPrefix(s, endMark+r.batch+" "); ok {
		p.end()
		if f := strings.Fields(rest); len(f) == 2 {
			r.status, r.seconds = number(f[0]), number(f[1])
		}
		return
	}
	if name, ok := running(s); ok {
		p.test = name
		p.tell(r)
		return
	}
	if kind, name, ok := outcome(s); ok {
		p.ended(r, kind, name, s)
		return
	}
	switch {
	case p.test != "":
		p.said[p.test] = append(p.said[p.test], s)
	case s != "":
		p.print(s)
	}
}

// ended records how a test has ended.
func (p *parser) ended(r *report, kind, name, line string) {
	said := p.said[name]
	delete(p.said, name)
	// The line of a subtest comes after that of its parent, when no test runs any more.
	if p.test == name || strings.HasPrefix(p.test, name+"/") {
		p.test = ""
	}
	switch kind {
	case "PASS":
		r.passed = append(r.passed, name)
	case "SKIP":
		r.skipped = append(r.skipped, skipped{name, reason(said)})
	case "FAIL":
		r.failed = append(r.failed, name)
		for _, l := range said {
			p.print(l)
		}
		p.print(line)
	}
}

// end prints the output of tests that have not ended, as after a panic.
func (p *parser) end() {
	for name, said := range p.said {
		p.print(name + " did not end; it said:")
		for _, l := range said {
			p.print(l)
		}
	}
	clear(p.said)
	p.test = ""
}

// finish ends the parsing, and returns the reports of all batches that should have run.
func (p *parser) finish(batches []batch) []*report {
	p.end()
	if len(p.partial) > 0 {
		p.print(string(p.partial))
	}
	var all []*report
	for _, b := range batches {
		found := &report{batch: b.name, machine: p.machine, status: -1}
		for _, r := range p.reports {
			if r.batch == b.name {
				found = r
			}
		}
		all = append(all, found)
	}
	return all
}

// print prints a line, unless all lines are printed anyway.
func (p *parser) print(s string) {
	if !p.verbose {
		_, _ = fmt.Fprintln(p.out, s) // the result does not depend on the output
	}
}

// running returns the test in a line like "=== RUN   TestX", to which the next lines belong.
func running(s string) (test string, ok bool) {
	rest, ok := strings.CutPrefix(s, "=== ")
	if !ok {
		return "", false
	}
	word, test, _ := strings.Cut(rest, " ")
	switch word {
	case "RUN", "CONT", "NAME":
		return strings.TrimSpace(test), true
	case "PAUSE":
		return "", true
	}
	return "", false
}

// outcome parses a line like "    --- PASS: TestX/y (0.10s)".
func outcome(s string) (kind, test string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(s, " "), "--- ")
	if !ok {
		return "", "", false
	}
	kind, rest, _ = strings.Cut(rest, ": ")
	test, _, ok = strings.Cut(rest, " (")
	if kind != "PASS" && kind != "FAIL" && kind != "SKIP" || !ok || test == "" {
		return "", "", false
	}
	return kind, test, true
}

// reason returns the text of a skip: its last line without the position in the code.
func reason(said []string) string {
	if len(said) == 0 {
		return ""
	}
	last := strings.TrimSpace(said[len(said)-1])
	if place, text, ok := strings.Cut(last, ": "); ok && strings.Contains(place, ".go:") {
		return text
	}
	return last
}

// number returns -1 if s is not a number.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// summary returns one line about the batch.
func (r *report) summary() string {
	return fmt.Sprintf("%-16s %s: %d passed, %d skipped, %d failed, in %d s",
		r.batch, r.machine, len(r.passed), len(r.skipped), len(r.failed), r.seconds)
}
