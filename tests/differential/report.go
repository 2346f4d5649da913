// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// report collects differences, and counts which rows explain them.
type report struct {
	*config
	rules       []*rule
	unexplained []difference
	explained   int
	same        int
	kinds       map[string]int
	record      *os.File
}

func newReport(c *config, rules []*rule) *report {
	return &report{config: c, rules: rules, kinds: map[string]int{}}
}

// add compares the first outcome with each of the others.
func (r *report) add(s seen) error {
	tc, outcomes := s.Case, s.Outcomes
	if r.record != nil {
		if err := json.NewEncoder(r.record).Encode(s); err != nil {
			return err
		}
	}
	if r.only >= 0 {
		r.show(tc, outcomes)
	}
	same := true
	for i, rt := range r.runtimes[1:] {
		for _, d := range compare(tc, rt.name, outcomes[0], outcomes[i+1]) {
			same = false
			if row := r.explain(d); row != nil {
				row.explained++
				r.explained++
			} else {
				r.unexplained = append(r.unexplained, d)
			}
		}
	}
	if same {
		r.same++
	}
	r.kinds[outcomes[0]["outcome"]]++
	return nil
}

// explain returns the first row that explains a difference.
func (r *report) explain(d difference) *rule {
	for _, row := range r.rules {
		if row.explains(d) {
			return row
		}
	}
	return nil
}

// show prints the outcomes of a case.
func (r *report) show(tc *testCase, outcomes []outcome) {
	fmt.Printf("case %s\n%s%s %q\n", tc, tc.Config, tc.Setup, tc.Command)
	for i, rt := range r.runtimes {
		keys := make([]string, 0, len(outcomes[i]))
		for key := range outcomes[i] {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if i == 0 || outcomes[i][key] != outcomes[0][key] {
				fmt.Printf("%s %s=%s\n", rt.name, key, oneLine(outcomes[i][key]))
			}
		}
		for key := range outcomes[0] {
			if _, ok := outcomes[i][key]; !ok {
				fmt.Printf("%s has no %s\n", rt.name, key)
			}
		}
	}
}

// finish prints unexplained differences, grouped by equal ones, and unused rows if all cases ran.
func (r *report) finish(whole bool) error {
	fmt.Printf("same: %d cases; differences: %d explained, %d not; %v\n", r.same, r.explained, len(r.unexplained), r.kinds)
	groups := map[string][]difference{}
	for _, d := range r.unexplained {
		key := fmt.Sprintf("%s | %s | %s | %s", d.peer, d.key, oneLine(d.berth), oneLine(d.peers))
		groups[key] = append(groups[key], d)
	}
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if n := len(groups[b]) - len(groups[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, key := range keys {
		fmt.Printf("unexplained: %s (%d)\n", key, len(groups[key]))
		for _, d := range groups[key][:min(3, len(groups[key]))] {
			fmt.Printf("    case %s\n", d.tc)
		}
	}
	if err := r.shareUse(); err != nil {
		return err
	}
	useless := 0
	for _, row := range r.rules {
		// Runs of other modes do not use the rows of this mode.
		if whole && (r.last || row.mode != "") && row.explained == 0 && !strings.HasPrefix(row.text, byChance) {
			useless++
			fmt.Printf("differences:%d explains no difference: %s | %s | %s\n", row.line, row.peer, strings.Join(row.parts, " & "), row.key)
		}
	}
	if len(r.unexplained)+useless > 0 {
		return fmt.Errorf("%d differences that no row of tests/differential/differences explains, %d unused rows", len(r.unexplained), useless)
	}
	return nil
}

// shareUse adds the use counts of the runs in other modes to this one's, and saves the sums.
func (r *report) shareUse() error {
	if r.used == "" {
		return nil
	}
	old, err := os.ReadFile(r.used)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := strings.Fields(string(old))
	for _, row := range r.rules {
		line := strconv.Itoa(row.line)
		switch {
		case row.explained > 0:
			lines = append(lines, line)
		case slices.Contains(lines, line):
			row.explained++
		}
	}
	return os.WriteFile(r.used, []byte(strings.Join(lines, "\n")), 0o644)
}
