// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedianAndPercentile(t *testing.T) {
	cases := []struct {
		values         []float64
		median, ninety float64
	}{
		{[]float64{5}, 5, 5},
		{[]float64{4, 1}, 2.5, 4},
		{[]float64{3, 1, 2}, 2, 3},
		{[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 5.5, 9},
	}
	for _, c := range cases {
		s := sorted(c.values)
		if got := median(s); got != c.median {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.median)
		}
		if got := percentile(s, 0.9); got != c.ninety {
			t.Errorf("90th percentile of %v is %v, want %v", c.values, got, c.ninety)
		}
	}
}

func TestTable(t *testing.T) {
	c := &config{runtimes: []*runtimeUnderTest{{name: "a"}, {name: "b"}, {name: "c"}}}
	r := &results{times: map[string]map[string][]float64{}}
	r.add("run", "a", 2*time.Millisecond)
	r.add("run", "b", 5*time.Millisecond)
	var out strings.Builder
	if err := r.print(&out, "tight", c); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"tight: back to back", "2.00 (2.00)", "5.00 (5.00)", "x2.50", " - "} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in:\n%s", w, out.String())
		}
	}
}
