// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUpdate(t *testing.T) {
	const text = "before\n<!-- bench: times v2 -->\nold\n<!-- bench end -->\nbetween\n" +
		"<!-- bench: faults v1 -->\nolder\n<!-- bench end -->\nafter\n"
	all := map[string]*results{"v2": sampleResults()}
	got, err := update(strings.Replace(text, "times", metricTime, 1), all)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n<!-- bench: time v2 -->\n| ms | a | b<c |\n|---|---|---|\n| `--version` | 3.00 (2.00) | **1.50** (1.00) |\n" +
		"| `run` | **3.00** (2.00) | 6.00 (4.00) |\n| `exec` | - | **7.00** (7.00) |\n<!-- bench end -->\nbetween\n" +
		"<!-- bench: faults v1 -->\nolder\n<!-- bench end -->\nafter\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if again, err := update(got, all); err != nil || again != got {
		t.Errorf("a second time changes it: %v\n%s", err, again)
	}
	if _, err := update(text, all); err == nil || !strings.Contains(err.Error(), `unknown part "times"`) {
		t.Errorf("an unknown part: %v", err)
	}
	if _, err := update("nothing\n", all); err == nil {
		t.Error("a document without a part is no error")
	}
}

func TestSummary(t *testing.T) {
	got := sampleResults().summary().markdown()
	want := "| ms, on cgroup v2 | a | b<c |\n|---|---|---|\n| `run` | **3.00** | 6.00 |\n| `exec` | - | **7.00** |\n" +
		"| `--version` | 3.00 | **1.50** |\n| memory of a created container, MB | **2.05** | - |\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestPlot(t *testing.T) {
	svg, err := sampleResults().plot(metricTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{`font-weight="bold">run</text>`, "b&lt;c", ">6.00</text>", ">floor</text>", `fill="#888888"`} {
		if !strings.Contains(svg, w) {
			t.Errorf("no %q in:\n%s", w, svg)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, metric := range []string{"beauty", metricCPU} {
		if _, err := sampleResults().plot(metric); err == nil {
			t.Errorf("there is a plot of %s", metric)
		}
	}
}

// TestDocuments: the documents show the results that are kept beside this program.
func TestDocuments(t *testing.T) {
	const root = "../.."
	r, err := load("results/v2.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "docs/performance.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		made, err := update(string(text), map[string]*results{"v2": r})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if made != string(text) {
			t.Errorf("%s shows other results than results/v2.json: make bench-docs", name)
		}
	}
	for _, metric := range []string{metricTime, metricCPU} {
		svg, err := r.plot(metric)
		if err != nil {
			t.Fatal(err)
		}
		name := "docs/performance-" + metric + ".svg"
		if old, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(old) != svg {
			t.Errorf("%s shows other results than results/v2.json: make bench-docs (%v)", name, err)
		}
	}
}
