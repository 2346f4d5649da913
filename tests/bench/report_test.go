// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

// sampleResults are of two runtimes and the yardsticks.
func sampleResults() *results {
	r := &results{
		Date: "2026-01-02", Kernel: "6.1", CPUs: 2, Load: "0.10 0.20 0.30", Cgroup: "v2", Rounds: 3, GapMS: 30,
		Runtime: []named{{"a", "a version 1"}, {"b<c", "b version 2"}},
	}
	for _, v := range []float64{4, 2, 3} {
		r.add("run", "a", metricTime, v)
		r.add("run", "b<c", metricTime, 2*v)
		r.add("run", floorName, metricTime, v/2)
		r.add("version", "a", metricTime, v)
		r.add("version", "b<c", metricTime, v/2)
	}
	r.add("run", "a", metricFaults, 400)
	r.add("created", "a", metricResident, 2000)
	r.add("exec", "b<c", metricTime, 7)
	r.finish()
	return r
}

func TestTableOf(t *testing.T) {
	r := sampleResults()
	of := func(name, mark string) table {
		m, ok := metricOf(name)
		if !ok {
			t.Fatalf("no metric %s", name)
		}
		return r.of(m, mark)
	}
	want := table{
		{"ms", "a", "b<c"},
		{"`--version`", "3.00 (2.00)", "*1.50* (1.00)"},
		{"`run`", "*3.00* (2.00)", "6.00 (4.00)"},
		{"`exec`", "-", "*7.00* (7.00)"},
	}
	got := of(metricTime, "*")
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("times are %q", got)
	}
	if got := of(metricFaults, ""); len(got) != 2 || !slices.Equal(got[1], []string{"`run`", "400", "-"}) {
		t.Errorf("faults are %q", got)
	}
	if got := of(metricResident, ""); len(got) != 2 || got[1][1] != "2.05" {
		t.Errorf("resident memory is %q", got)
	}
}

func TestYardsticks(t *testing.T) {
	got := sampleResults().yardsticks()
	if len(got) != 2 || !slices.Equal(got[1], []string{"`run`, and floor.c", "1.50 (1.00)", "3.00 (2.00)", "2.00", "2.00"}) {
		t.Errorf("yardsticks are %q", got)
	}
}

func TestBehind(t *testing.T) {
	r := sampleResults()
	if got := r.behind(); !slices.Equal(got, []string{"`--version` (b<c: 3.00 ms to 1.50)"}) {
		t.Errorf("behind in %q", got)
	}
	r.row("version").Cells["b<c"][metricTime].Median = 2.99
	if got := r.behind(); len(got) > 0 {
		t.Errorf("behind by noise: %q", got)
	}
	if got := r.behindText(); got != "a is slower than no other in any row.\n" {
		t.Errorf("it says %q", got)
	}
}

func TestPrint(t *testing.T) {
	r := sampleResults()
	r.Notes = []string{"exec left out: a exec: no"}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{
		"2026-01-02, Linux 6.1, 2 CPUs, load 0.10, cgroup v2, no controllers for limits; 3 rounds, gaps of 30 ms",
		"b version 2", "--version  3.00 (2.00)  1.50 (1.00)", "a is behind: --version", "exec left out: a exec: no",
	} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in:\n%s", w, out.String())
		}
	}
}

// TestTitles: a row without a title would be in no order.
func TestTitles(t *testing.T) {
	for _, row := range []string{"create", "start", "delete", "cycle"} {
		for _, prefix := range []string{"", "docker.", "pod."} {
			if rank(prefix+row) < 0 {
				t.Errorf("no title for %s%s", prefix, row)
			}
		}
	}
	for _, op := range allOperations() {
		if !strings.HasSuffix(op.name, "cycle") && op.name != "crowd" && rank(op.name) < 0 {
			t.Errorf("no title for %s", op.name)
		}
	}
	if unknown([]string{"run", "walk"}) == nil || unknown([]string{"run", "crowd"}) != nil {
		t.Error("unknown operations are known, or the other way round")
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 40)
	for line := range strings.Lines(wrap(long)) {
		if len(line) > 93 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	if got := wrap("a  b\n"); got != "a b\n" {
		t.Errorf("got %q", got)
	}
}
