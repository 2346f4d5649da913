// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// machines are the kinds of machines that boot supports, in the order in which they are booted.
var machines = []string{"v2", "next", "arm64", "v1", "legacy"}

// cgroupMode returns the mode of tests/integration/run for a machine.
func cgroupMode(machine string) string {
	if machine == "v2" || machine == "next" || machine == "arm64" {
		return "v2"
	}
	return "v1"
}

// batch is a row of the table of batches.
type batch struct {
	name, machine, command string
}

// skip is a row of the table of accepted skips.
type skip struct {
	test     string
	machines []string
	line     int
}

// readTable reads a file with one of the parsers.
func readTable[T any](path string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

// parseBatches reads the table of batches.
func parseBatches(r io.Reader) ([]batch, error) {
	name := regexp.MustCompile(`^[a-z0-9-]+$`)
	var all []batch
	err := parseRows(r, func(_ int, cols [3]string) error {
		b := batch{cols[0], cols[1], cols[2]}
		switch {
		case !name.MatchString(b.name):
			return fmt.Errorf("bad name %q", b.name)
		case !slices.Contains(machines, b.machine):
			return fmt.Errorf("unknown machine %q", b.machine)
		case slices.ContainsFunc(all, func(o batch) bool { return o.name == b.name }):
			return fmt.Errorf("%q is there twice", b.name)
		}
		all = append(all, b)
		return nil
	})
	return all, err
}

// parseSkips reads the table of accepted skips.
func parseSkips(r io.Reader) ([]skip, error) {
	var all []skip
	err := parseRows(r, func(line int, cols [3]string) error {
		s := skip{test: cols[0], line: line}
		for m := range strings.SplitSeq(cols[1], ",") {
			if !slices.Contains(machines, m) {
				return fmt.Errorf("unknown machine %q", m)
			}
			s.machines = append(s.machines, m)
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

// parseRows reads a table of three columns separated by "|", none of which may be empty.
func parseRows(r io.Reader, add func(line int, cols [3]string) error) error {
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		var cols [3]string
		fields := strings.SplitN(line, "|", 3)
		for i, f := range fields {
			cols[i] = strings.TrimSpace(f)
		}
		if slices.Contains(cols[:], "") {
			return fmt.Errorf("line %d: want three columns", n)
		}
		if err := add(n, cols); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return sc.Err()
}

// choose returns the batches with these names, or all if there are none.
func choose(all []batch, names []string) ([]batch, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []batch
	for _, name := range names {
		i := slices.IndexFunc(all, func(b batch) bool { return b.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no batch %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// covers reports whether the row applies to this test on this machine. A name that ends with "/*"
// applies to all subtests.
func (s *skip) covers(test, machine string) bool {
	if !slices.Contains(s.machines, machine) {
		return false
	}
	if above, all := strings.CutSuffix(s.test, "*"); all {
		return strings.HasPrefix(test, above)
	}
	return test == s.test
}
