// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A failure is identified by the number of a test in its program, or by one of these words.
const (
	failError   = "error"   // an error printed, and no test
	failExit    = "exit"    // a status that is not 0
	failPlan    = "plan"    // another number of tests than planned
	failTimeout = "timeout" // killed after the time limit
	failAny     = "any"     // one or more failures of any kind
)

// expectation is one line of the table of expected failures.
type expectation struct {
	Line     int
	Program  string
	Failures []string
	// Runtimes are names of runtimes; "all" means each of them.
	Runtimes []string
	// When are conditions that must all hold.
	When   []string
	Reason string
}

// parseTable reads the table of five columns separated by "|". Blank lines and lines that begin
// with # are ignored.
func parseTable(r io.Reader) ([]expectation, error) {
	var table []expectation
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cols := strings.SplitN(line, "|", 5)
		if len(cols) != 5 {
			return nil, fmt.Errorf("line %d: %d columns, want 5", n, len(cols))
		}
		for i := range cols {
			if cols[i] = strings.TrimSpace(cols[i]); cols[i] == "" {
				return nil, fmt.Errorf("line %d: column %d is empty", n, i+1)
			}
		}
		failures, err := parseFailures(cols[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		table = append(table, expectation{
			Line: n, Program: cols[0], Failures: failures,
			Runtimes: strings.Split(cols[2], ","), When: strings.Split(cols[3], ","), Reason: cols[4],
		})
	}
	return table, sc.Err()
}

// parseFailures expands "2,5-7,exit".
func parseFailures(s string) ([]string, error) {
	var all []string
	for f := range strings.SplitSeq(s, ",") {
		if slices.Contains([]string{failError, failExit, failPlan, failTimeout, failAny}, f) {
			all = append(all, f)
			continue
		}
		from, to, isRange := strings.Cut(f, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < 1 || b < a || b > 10000 {
			return nil, fmt.Errorf("%q is not a failure", f)
		}
		for ; a <= b; a++ {
			all = append(all, strconv.Itoa(a))
		}
	}
	return all, nil
}

// host has the answers to conditions.
type host struct {
	// Unified means that /sys/fs/cgroup is cgroup v2.
	Unified bool
	// Capabilities is the effective set of this process.
	Capabilities uint64
	exists       func(path string) bool
}

// These are the capabilities that conditions may name.
var capabilityNumbers = map[string]uint{"CAP_SYS_RESOURCE": 24}

// holds evaluates one condition of the table.
func (h *host) holds(cond string) (bool, error) {
	name, arg, _ := strings.Cut(cond, ":")
	switch name {
	case "always", "racy", "either":
		return true, nil
	case "v1":
		return !h.Unified, nil
	case "v2":
		return h.Unified, nil
	case "without-file":
		return !h.exists(arg), nil
	case "without-cap":
		n, known := capabilityNumbers[arg]
		if !known {
			return false, fmt.Errorf("unknown capability %q", arg)
		}
		return h.Capabilities>>n&1 == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// expectations are the failures of one program that the table explains, with their reasons.
type expectations struct {
	// must occur. may may occur in some runs, but not in all. either may occur or not.
	must, may, either map[string]string
}

// expected returns the failures of program that apply to runtime on this host.
func expected(table []expectation, program, runtime string, h *host) (*expectations, error) {
	x := &expectations{map[string]string{}, map[string]string{}, map[string]string{}}
	for _, e := range table {
		if e.Program != program || !slices.Contains(e.Runtimes, runtime) && !slices.Contains(e.Runtimes, "all") {
			continue
		}
		applies, set := true, x.must
		for _, cond := range e.When {
			ok, err := h.holds(cond)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", e.Line, err)
			}
			applies = applies && ok
			switch cond {
			case "racy":
				set = x.may
			case "either":
				set = x.either
			}
		}
		if !applies {
			continue
		}
		for _, f := range e.Failures {
			set[f] = e.Reason
		}
	}
	return x, nil
}
