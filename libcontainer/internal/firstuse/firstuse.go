// SPDX-License-Identifier: Apache-2.0

// Package firstuse is for benchmarks of what a command does once. A loop would not show the
// time of the first run, because its pages, caches and tables are filled by then.
package firstuse

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// variable holds the name of the way that a process of Compare measures.
const variable = "BERTH_FIRST_USE"

// Compare measures how long different ways to do the same thing take in a process that has
// never done it: that is what a command pays. The ways take turns, each in processes of its
// own. It reports the minimum and the median in microseconds.
func Compare(b *testing.B, ways map[string]func() error) {
	if way := ways[os.Getenv(variable)]; way != nil {
		begin := time.Now()
		err := way()
		took := time.Since(begin)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := os.Stderr.WriteString(strconv.FormatInt(took.Nanoseconds(), 10)); err != nil {
			b.Fatal(err)
		}
		os.Exit(0)
	}
	took := make(map[string][]float64)
	for b.Loop() {
		for name := range ways {
			cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^"+b.Name()+"$", "-test.benchtime=1x")
			cmd.Env = append(os.Environ(), variable+"="+name)
			var out strings.Builder
			cmd.Stderr = &out
			if err := cmd.Run(); err != nil {
				b.Fatalf("%v: %s", err, out.String())
			}
			ns, err := strconv.ParseFloat(out.String(), 64)
			if err != nil {
				b.Fatal(err)
			}
			took[name] = append(took[name], ns/1000)
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(all[0], name+"-min-us")
		b.ReportMetric(all[len(all)/2], name+"-median-us")
	}
}
