// SPDX-License-Identifier: Apache-2.0

// Package nearest finds the word that somebody meant who has misspelt one, for error messages. It
// never decides what berth does.
package nearest

import (
	"fmt"
	"strings"
)

// Hint returns " (did you mean "x"?)" with the nearest of the known words, to add to a message about
// word; "" if none is near.
func Hint(word string, known []string) string {
	w := Of(word, known)
	if w == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", w)
}

// Of returns the known word that is nearest to word, ignoring case, "-" and "_"; "" if more than a
// third of the letters would have to change. Of words that are equally near it is the first.
func Of(word string, known []string) string {
	plain := simplify(word)
	best, least := "", len(plain)/3+1
	for _, k := range known {
		if d := distance(plain, simplify(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

func simplify(word string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
}

// distance returns how many letters must be inserted, removed, replaced or swapped with their
// neighbour to make b of a, or at least limit if it is that many or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
