// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// tapTest is one test line of a TAP stream.
type tapTest struct {
	Number      int
	OK, Skipped bool
	Description string
}

// tapResult is the result of one program.
type tapResult struct {
	Tests []tapTest
	// Planned is the sum of N of the plan lines "1..N"; -1 if there was none.
	Planned int
	// Errors are the "error" fields of diagnostics that belong to no test. Several
	// programs of the suite report a failure in this way only, and plan "1..0".
	Errors []string
}

// parseTAP reads a TAP stream, or several in sequence from programs that print more than one
// header, whose tests it numbers consecutively. It ignores unknown lines, because the programs
// also print the container's output. It only fails if r fails.
func parseTAP(r io.Reader) (*tapResult, error) {
	res := &tapResult{Planned: -1}
	inYAML := false
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		switch {
		case inYAML:
			inYAML = line != "  ..."
			if msg, ok := errorField(line); ok && len(res.Tests) == 0 {
				res.Errors = append(res.Errors, msg)
			}
		case line == "  ---":
			inYAML = true
		case strings.HasPrefix(line, "1.."):
			if n, convErr := strconv.Atoi(strings.Fields(line[3:] + " -")[0]); convErr == nil && n >= 0 {
				res.Planned = max(res.Planned, 0) + n
			}
		default:
			if t, ok := parseTest(line); ok {
				t.Number = len(res.Tests) + 1
				res.Tests = append(res.Tests, t)
			}
		}
		if err == io.EOF {
			return res, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// parseTest reads a line like `not ok 3 - description # SKIP reason`.
func parseTest(line string) (tapTest, bool) {
	t := tapTest{OK: true}
	if rest, found := strings.CutPrefix(line, "not "); found {
		t.OK, line = false, rest
	}
	rest, found := strings.CutPrefix(line, "ok")
	if !found || rest != "" && rest[0] != ' ' {
		return t, false
	}
	rest = strings.TrimSpace(rest)
	digits := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = rest[:i]
	}
	desc, directive, _ := strings.Cut(rest[len(digits):], "#")
	t.Description = strings.TrimPrefix(strings.TrimSpace(desc), "- ")
	t.Skipped = strings.HasPrefix(strings.ToUpper(strings.TrimSpace(directive)), "SKIP")
	return t, true
}

// errorField finds an "error" member that is not empty in a line of a diagnostic, which the suite
// writes as indented JSON.
func errorField(line string) (string, bool) {
	value, found := strings.CutPrefix(strings.TrimSpace(line), `"error": `)
	if !found {
		return "", false
	}
	msg, err := strconv.Unquote(strings.TrimSuffix(value, ","))
	return msg, err == nil && msg != ""
}
