// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The results of an operation.
const (
	passed  = "passed"
	failed  = "FAILED"
	skipped = "skipped"
	known   = "known"
)

// outcome is the result of one operation, and a line of a file in ./_build/results.
type outcome struct {
	Room, Place, Runtime, Test, Result string
	Text                               string `json:",omitempty"`
	Seconds                            float64
}

// keepResults writes the results of this run to their file, where a run of some operations
// replaces only those.
func keepResults(dir string, some bool) error {
	if dir == "" {
		return nil
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.json", suite.room, suite.place, os.Getenv("NAME")))
	var old []outcome
	if some {
		var err error
		if old, err = readResults(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, o := range suite.results {
		same := func(other outcome) bool { return other.Test == o.Test }
		if i := slices.IndexFunc(old, same); i >= 0 {
			old[i] = o
		} else {
			old = append(old, o)
		}
	}
	var b bytes.Buffer
	for _, o := range old {
		line, err := json.Marshal(o)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func readResults(file string) ([]outcome, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []outcome
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		var o outcome
		if err := json.Unmarshal(s.Bytes(), &o); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// writeTable writes the results in dir as a table: a row for each operation of each room, and a
// column for each runtime.
func writeTable(file, dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	var rows, runtimes []string
	cells := map[string]map[string]string{}
	for _, name := range names {
		all, err := readResults(name)
		if err != nil {
			return err
		}
		for _, o := range all {
			row := fmt.Sprintf("%s, %s | %s", o.Room, o.Place, o.Test)
			if cells[row] == nil {
				rows, cells[row] = append(rows, row), map[string]string{}
			}
			cells[row][o.Runtime] = o.Result
			if !slices.Contains(runtimes, o.Runtime) {
				runtimes = append(runtimes, o.Runtime)
			}
		}
	}
	slices.SortFunc(runtimes, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return os.WriteFile(file, []byte(table(rows, runtimes, cells)), 0o644)
}

// rank puts berth first.
func rank(runtime string) string {
	if strings.HasPrefix(runtime, "berth") {
		return " " + runtime
	}
	return runtime
}

// table formats the cells, whose last row counts.
func table(rows, runtimes []string, cells map[string]map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| engine | operation | %s |\n|---|---|%s\n", strings.Join(runtimes, " | "), strings.Repeat("---|", len(runtimes)))
	count := map[string]int{}
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, runtime := range runtimes {
			result := cells[row][runtime]
			if result == passed {
				count[runtime]++
			}
			fmt.Fprintf(&b, " %s |", cmp.Or(result, "-"))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "| passed | of %d |", len(rows))
	for _, runtime := range runtimes {
		fmt.Fprintf(&b, " %d |", count[runtime])
	}
	return b.String() + "\n"
}
