// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseBatches(t *testing.T) {
	got, err := parseBatches(strings.NewReader("# one\n\na | v2 | x | y\n  b-1|v1|z  \n"))
	want := []batch{{"a", "v2", "x | y"}, {"b-1", "v1", "z"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for text, want := range map[string]string{
		"a | v2":                  "line 1: want three columns",
		"a | v2 |":                "line 1: want three columns",
		"\nA b | v2 | x":          `line 2: bad name "A b"`,
		"a | v3 | x":              `line 1: unknown machine "v3"`,
		"a | v2 | x\na | v1 | x":  `line 2: "a" is there twice`,
		"a;rm -rf | v2 | command": `line 1: bad name "a;rm -rf"`,
	} {
		if _, err := parseBatches(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestParseSkips(t *testing.T) {
	got, err := parseSkips(strings.NewReader("T/* | v1,v2 | why\nU | v2 | why\n"))
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, c := range []struct {
		row           int
		test, machine string
		want          bool
	}{
		{0, "T/a", "v1", true},
		{0, "T/a", "v2", true},
		{0, "T", "v1", false},
		{1, "U", "v2", true},
		{1, "U", "v1", false},
		{1, "U/a", "v2", false},
	} {
		if got := got[c.row].covers(c.test, c.machine); got != c.want {
			t.Errorf("row %d covers %s on %s: %v", c.row, c.test, c.machine, got)
		}
	}
	if _, err := parseSkips(strings.NewReader("T | v1,v4 | why")); err == nil {
		t.Error("no error for an unknown machine")
	}
}

func TestChoose(t *testing.T) {
	all := []batch{{name: "a"}, {name: "b"}}
	if got, err := choose(all, nil); err != nil || !slices.Equal(got, all) {
		t.Errorf("none: %v, %v", got, err)
	}
	if got, err := choose(all, []string{"b"}); err != nil || !slices.Equal(got, all[1:]) {
		t.Errorf("b: %v, %v", got, err)
	}
	if _, err := choose(all, []string{"c"}); err == nil {
		t.Error("no error for an unknown batch")
	}
}

// output is the output of a machine with two batches.
const output = `before
== batch one
== some title
=== RUN   TestA
--- PASS: TestA (0.01s)
=== RUN   TestB
    b_test.go:7: got 1: want 2
--- FAIL: TestB (0.01s)
=== RUN   TestC
=== RUN   TestC/x
    c_test.go:9: requires a: b
=== RUN   TestC/y
--- PASS: TestC (0.01s)
    --- SKIP: TestC/x (0.00s)
    --- PASS: TestC/y (0.00s)
=== RUN   TestD
    d_test.go:9: only for cgroup v1
--- SKIP: TestD (0.00s)
FAIL

== end of batch one 1 12

== batch two
=== RUN   TestD
--- PASS: TestD (0.00s)
=== RUN   TestE
panic: oh

goroutine 1
`

func parse(t *testing.T, text string, chunk int, verbose bool, names ...string) (printed string, reports []*report) {
	t.Helper()
	var out bytes.Buffer
	p := newParser(&out, "v2", verbose)
	for part := range slices.Chunk([]byte(text), chunk) {
		if n, err := p.Write(part); n != len(part) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	var batches []batch
	for _, n := range names {
		batches = append(batches, batch{name: n, machine: "v2"})
	}
	reports = p.finish(batches)
	return out.String(), reports
}

func TestParser(t *testing.T) {
	for _, chunk := range []int{1, 7, 100000} {
		printed, reports := parse(t, output, chunk, false, "one", "two", "three")
		want := "before\n== batch one on v2\n== some title\n    b_test.go:7: got 1: want 2\n--- FAIL: TestB (0.01s)\nFAIL\n" +
			"== batch two on v2\nTestE did not end; it said:\npanic: oh\n\ngoroutine 1\n"
		if printed != want {
			t.Errorf("printed %q, want %q", printed, want)
		}
		one := reports[0]
		if one.status != 1 || one.seconds != 12 || !slices.Equal(one.passed, []string{"TestA", "TestC", "TestC/y"}) ||
			!slices.Equal(one.failed, []string{"TestB"}) ||
			!slices.Equal(one.skipped, []skipped{{"TestC/x", "requires a: b"}, {"TestD", "only for cgroup v1"}}) {
			t.Errorf("one: %+v", one)
		}
		if two := reports[1]; two.status != -1 || len(two.passed) != 1 {
			t.Errorf("two: %+v", two)
		}
		if three := reports[2]; three.status != -1 || three.batch != "three" {
			t.Errorf("three: %+v", three)
		}
	}
}

// TestParserTells: the names of running tests are reported if somebody reads them.
func TestParserTells(t *testing.T) {
	for _, telling := range []bool{false, true} {
		var out bytes.Buffer
		p := newParser(&out, "v2", false)
		p.telling = telling
		if _, err := p.Write([]byte("== batch one\n=== RUN   TestA\n--- PASS: TestA (100.00s)\n=== RUN   TestB\n")); err != nil {
			t.Fatal(err)
		}
		want := "== batch one on v2\n"
		if telling {
			want += "@progress 0 0 v2, one: TestA\n@progress 1 0 v2, one: TestB\n"
		}
		if out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	}
}

func TestParserVerbose(t *testing.T) {
	if printed, _ := parse(t, output, 10, true); printed != output {
		t.Errorf("printed %q", printed)
	}
}

func TestJudge(t *testing.T) {
	good := func() *report { return &report{batch: "b", machine: "v2", passed: []string{"TestA"}} }
	for name, c := range map[string]struct {
		change   func(*report)
		accepted []skip
		complete bool
		want     []string
	}{
		"good":               {func(*report) {}, nil, true, nil},
		"failed":             {func(r *report) { r.failed, r.status = []string{"TestX"}, 1 }, nil, true, []string{"b: TestX failed"}},
		"status":             {func(r *report) { r.status = 3 }, nil, true, []string{"b: status 3"}},
		"did not end":        {func(r *report) { r.status = -1 }, nil, true, []string{"b: did not end"}},
		"nothing ran":        {func(r *report) { r.passed = nil }, nil, true, []string{"b: no test passed"}},
		"skipped elsewhere":  {func(r *report) { r.skipped = []skipped{{"TestA", "only for v1"}} }, nil, true, nil},
		"skipped everywhere": {func(r *report) { r.skipped = []skipped{{"TestS", "only for v1"}} }, nil, true, []string{"TestS runs in no batch and is not listed: only for v1"}},
		"a part of them":     {func(r *report) { r.skipped = []skipped{{"TestS", "only for v1"}} }, nil, false, nil},
		"requires":           {func(r *report) { r.skipped = []skipped{{"TestA", "requires x"}} }, nil, false, []string{"b: TestA is skipped on v2 and not listed: requires x"}},
		"listed":             {func(r *report) { r.skipped = []skipped{{"TestS", "requires x"}} }, []skip{{"TestS", []string{"v2"}, 4}}, true, nil},
		"listed elsewhere":   {func(r *report) { r.skipped = []skipped{{"TestA", "requires x"}} }, []skip{{"TestA", []string{"v1"}, 4}}, false, []string{"b: TestA is skipped on v2 and not listed: requires x"}},
		"stale":              {func(*report) {}, []skip{{"TestA", []string{"v2"}, 4}}, true, []string{"skips: line 4: TestA is not skipped"}},
		"stale or not run":   {func(*report) {}, []skip{{"TestA", []string{"v2"}, 4}}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(r)
			if got := judge([]*report{r}, c.accepted, c.complete); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRun uses a shell in place of a machine.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pass := `printf '=== RUN   TestA\n--- PASS: TestA (0.00s)\n'`
	for name, c := range map[string]struct {
		boot, batches string
		status        int
		want          string
	}{
		"good":        {`exec bash -c "$5"`, "a | v1 | " + pass + "\nb | v2 | cd /; exit() { :; }; " + pass, 0, "ok\n"},
		"failure":     {`exec bash -c "$5"`, "a | v1 | " + pass + "; exit 3", 1, "a: status 3\n"},
		"legacy":      {`exec bash -c "$5"`, "a | legacy | test $MODES = v1; " + pass, 0, "ok\n"},
		"variables":   {`exec bash -c "$5"`, "a | v1 | test $NAME$MODES$SLOW$CI = some-oci.v15true; " + pass, 0, "ok\n"},
		"no machine":  {`exit 125`, "a | v1 | " + pass, 125, "a: did not end\n"},
		"out of time": {`exit 124`, "a | v1 | " + pass, 124, "a: did not end\n"},
		"no result":   {`exit 0`, "a | v1 | " + pass, 1, "a: did not end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &options{
				boot: file("boot", "#!/bin/bash\n"+c.boot+"\n"), payload: dir, name: "some-oci.",
				batches: file("batches", c.batches+"\n"), skips: file("skips", ""), slow: 5,
			}
			var out bytes.Buffer
			status, err := run(context.Background(), o, &out)
			if err != nil || status != c.status || !strings.HasSuffix(out.String(), c.want) {
				t.Errorf("status %d, %v, want %d; printed %q, want %q in the end", status, err, c.status, out.String(), c.want)
			}
		})
	}
}

// TestTables reads the tables of the checkout.
func TestTables(t *testing.T) {
	if all, err := readTable("batches", parseBatches); err != nil || len(all) == 0 {
		t.Errorf("batches: %d, %v", len(all), err)
	}
	if _, err := readTable("skips", parseSkips); err != nil {
		t.Error(err)
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte(output))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newParser(&bytes.Buffer{}, "v1", false)
		if n, err := p.Write(b); n != len(b) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if got := p.finish([]batch{{name: "one"}}); len(got) != 1 {
			t.Fatalf("%d reports", len(got))
		}
	})
}
