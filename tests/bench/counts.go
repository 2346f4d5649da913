// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// counted are the columns of the file of bounds, after the name of a row.
var counted = []struct{ metric, title string }{
	{metricCalls, "system calls"},
	{metricThreads, "threads started"},
	{metricVoluntary, "voluntary context switches"},
	{metricFaults, "page faults"},
}

// How often each command is run: the least of several does not depend on what else the
// machine does.
const (
	tracedRounds  = 10
	countedRounds = 20
)

// bounds are the largest counts by row and metric.
type bounds map[string]map[string]float64

// parseBounds reads lines of a name and a number for each of counted.
func parseBounds(text string) (bounds, error) {
	b := bounds{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != len(counted)+1 || b[f[0]] != nil {
			return nil, fmt.Errorf("line %d: wants a new name and %d numbers: %q", n, len(counted), line)
		}
		b[f[0]] = map[string]float64{}
		for i, c := range counted {
			v, err := strconv.ParseFloat(f[i+1], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			b[f[0]][c.metric] = v
		}
	}
	return b, nil
}

// checkCounts counts what the first runtime does, and compares it with the bounds in a file.
func checkCounts(w io.Writer, c *config, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	b, err := parseBounds(string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	res, err := newResults(c)
	if err != nil {
		return err
	}
	if err := countAll(&meter{config: c, res: res}, c.runtimes[0]); err != nil {
		return err
	}
	res.finish()
	return b.check(w, res)
}

// oneCPU has this thread, and what it starts, run on one CPU. With more, how often a thread of
// Go waits for another depends on which is faster.
func oneCPU() error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	cpu := 0
	for !set.IsSet(cpu) {
		cpu++
	}
	set.Zero()
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}

// countAll fills the results of one runtime.
func countAll(m *meter, rt *runtimeUnderTest) (err error) {
	// Not unlocked: no other goroutine is to have this thread.
	runtime.LockOSThread()
	if err := oneCPU(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.end()) }()
	for _, op := range allOperations() {
		if !slices.Contains([]string{"version", "run", "cycle", "exec", "state", "kill", "docker.run"}, op.name) {
			continue
		}
		for round := range tracedRounds + countedRounds {
			m.way = timed
			if round < tracedRounds {
				m.way = traced
			}
			if err := errors.Join(op.once(m, rt), m.interrupted()); err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
			}
		}
	}
	return nil
}

// check compares, and shows everything.
func (b bounds) check(w io.Writer, res *results) error {
	t := table{{"least (bound)"}}
	for _, c := range counted {
		t[0] = append(t[0], c.title)
	}
	var failed []string
	rt := res.Runtime[0].Name
	for _, row := range res.Rows {
		if b[row.Name] == nil {
			continue
		}
		line := []string{row.Name}
		for _, c := range counted {
			s, most := row.Cells[rt][c.metric], b[row.Name][c.metric]
			if s == nil {
				return fmt.Errorf("%s: no %s", row.Name, c.title)
			}
			line = append(line, fmt.Sprintf("%.0f (%.0f)", s.Min, most))
			if s.Min > most {
				failed = append(failed, fmt.Sprintf("%s: %.0f %s, more than %.0f", row.Name, s.Min, c.title, most))
			}
		}
		t = append(t, line)
	}
	var text strings.Builder
	if err := t.text(&text); err != nil {
		return err
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	if len(t)-1 != len(b) {
		return fmt.Errorf("bounds for %d rows, and %d of them measured", len(b), len(t)-1)
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "\nbench: "))
	}
	return nil
}
