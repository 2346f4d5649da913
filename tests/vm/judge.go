// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// judge lists what is wrong with the batches. complete means that these are all batches.
func judge(reports []*report, accepted []skip, complete bool) []string {
	var complaints []string
	complain := func(format string, args ...any) {
		// A test may be skipped for the same reason in several batches.
		if c := fmt.Sprintf(format, args...); !slices.Contains(complaints, c) {
			complaints = append(complaints, c)
		}
	}
	passed := make(map[string]bool)
	for _, r := range reports {
		for _, t := range r.failed {
			complain("%s: %s failed", r.batch, t)
		}
		for _, t := range r.passed {
			passed[t] = true
		}
		switch {
		case r.status == -1:
			complain("%s: did not end", r.batch)
		case r.status != 0 && len(r.failed) == 0:
			complain("%s: status %d", r.batch, r.status)
		case len(r.passed) == 0:
			complain("%s: no test passed", r.batch)
		}
	}
	used := make([]bool, len(accepted))
	for _, r := range reports {
		for _, s := range r.skipped {
			i := slices.IndexFunc(accepted, func(a skip) bool { return a.covers(s.test, r.machine) })
			switch {
			case i >= 0:
				used[i] = true
			case strings.HasPrefix(s.reason, "requires "):
				complain("%s: %s is skipped on %s and not listed: %s", r.batch, s.test, r.machine, s.reason)
			case complete && !passed[s.test]:
				complain("%s runs in no batch and is not listed: %s", s.test, s.reason)
			}
		}
	}
	for i, a := range accepted {
		if complete && !used[i] {
			complain("skips: line %d: %s is not skipped", a.line, a.test)
		}
	}
	return complaints
}
