// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseTable(t *testing.T) {
	table, err := parseTable(strings.NewReader("# comment\n\nstart | 7,9-10,exit | runc,crun | always | old | text\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []expectation{{
		Line: 3, Program: "start", Failures: []string{"7", "9", "10", "exit"},
		Runtimes: []string{"runc", "crun"}, When: []string{"always"}, Reason: "old | text",
	}}
	if !reflect.DeepEqual(table, want) {
		t.Errorf("got %+v, want %+v", table, want)
	}
	for _, bad := range []string{
		"start | 7 | all | always", "start | 0 | all | always | x", "start | 5-3 | all | always | x",
		"start | sometimes | all | always | x", "start | 7 | all | always |", "start | 1-99999999 | all | always | x",
	} {
		if _, err := parseTable(strings.NewReader(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestExpected(t *testing.T) {
	table, err := parseTable(strings.NewReader(`
a | 1 | all | always | every runtime
a | 2 | runc | always | runc only
a | 3 | all | without-cap:CAP_SYS_RESOURCE | needs it
a | 4 | all | racy,v1 | racy
a | 5 | all | v2 | v1 only
a | 6 | all | without-file:/there | file
a | 7 | runc | either | unsettled
b | 1 | all | always | other program
`))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Capabilities: 1 << 24, exists: func(p string) bool { return p == "/there" }}
	x, err := expected(table, "a", "runc", h)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(x.must)); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("must %v", got)
	}
	if got := slices.Sorted(maps.Keys(x.may)); !slices.Equal(got, []string{"4"}) {
		t.Errorf("may %v", got)
	}
	if got := slices.Sorted(maps.Keys(x.either)); !slices.Equal(got, []string{"7"}) {
		t.Errorf("either %v", got)
	}
	h = &host{Unified: true, exists: func(string) bool { return false }}
	if x, err = expected(table, "a", "berth", h); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(x.must)); !slices.Equal(got, []string{"1", "3", "5", "6"}) {
		t.Errorf("must %v", got)
	}
}

// TestShippedTable checks that the table beside this file can be read and that
// each of its conditions is known.
func TestShippedTable(t *testing.T) {
	f, err := os.Open("expected-failures")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := parseTable(f)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{exists: fileExists}
	for _, e := range table {
		for _, cond := range e.When {
			if _, err := h.holds(cond); err != nil {
				t.Errorf("line %d: %v", e.Line, err)
			}
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("start | 7,9-10,exit | runc,crun | always | old\n")
	f.Fuzz(func(t *testing.T, in string) {
		table, err := parseTable(strings.NewReader(in))
		if err != nil {
			return
		}
		for _, e := range table {
			if e.Program == "" || len(e.Failures) == 0 || e.Reason == "" {
				t.Errorf("incomplete %+v", e)
			}
		}
	})
}
