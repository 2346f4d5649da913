// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
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
		s := slices.Sorted(slices.Values(c.values))
		if got := median(s); got != c.median {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.median)
		}
		if got := percentile(s, 0.9); got != c.ninety {
			t.Errorf("90th percentile of %v is %v, want %v", c.values, got, c.ninety)
		}
	}
}

func TestSumUp(t *testing.T) {
	s := stat{values: []float64{3.00049, 1.0004, 2}}
	s.sumUp()
	if s.N != 3 || s.Median != 2 || s.Min != 1 || s.P90 != 3 {
		t.Errorf("got %+v", s)
	}
}

// TestJSON: what is saved can be loaded, and is the same.
func TestJSON(t *testing.T) {
	r := sampleResults()
	file := filepath.Join(t.TempDir(), "results.json")
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	got, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		for _, cell := range row.Cells {
			for _, s := range cell {
				s.values = nil
			}
		}
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("saved %+v and loaded %+v", r, got)
	}
	for text, want := range map[string]string{"{": "unexpected end", "{}": "no results"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is loaded with %v", text, err)
		}
	}
}

func TestFind(t *testing.T) {
	r := sampleResults()
	if s := r.find("run", "a", metricTime); s == nil || s.Median != 3 {
		t.Errorf("run of a is %+v", s)
	}
	for _, c := range [][3]string{{"walk", "a", metricTime}, {"run", "c", metricTime}, {"run", "a", metricPeak}} {
		if s := r.find(c[0], c[1], c[2]); s != nil {
			t.Errorf("%s is %+v", c, s)
		}
	}
}
