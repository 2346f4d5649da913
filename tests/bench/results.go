// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The metrics of an operation.
const (
	metricTime      = "time"      // ms
	metricCPU       = "cpu"       // ms
	metricFaults    = "faults"    // page faults
	metricSwitches  = "switches"  // context switches
	metricVoluntary = "voluntary" // those of them that waited for something
	metricPeak      = "peak"      // KiB
	metricResident  = "resident"  // KiB
	// Only compared with bounds.
	metricCalls   = "calls"   // system calls
	metricThreads = "threads" // threads started
)

// results are what one run of the bench has found.
type results struct {
	Date    string  `json:"date"`
	Kernel  string  `json:"kernel"`
	CPUs    int     `json:"cpus"`
	Load    string  `json:"load"`
	Cgroup  string  `json:"cgroup"`
	Limits  bool    `json:"limits"` // whether the engines' containers have limits
	Rounds  int     `json:"rounds"`
	GapMS   float64 `json:"gap_ms"`
	Runtime []named `json:"runtimes"`
	// Rows are in the order in which they are shown.
	Rows  []*row   `json:"rows"`
	Notes []string `json:"notes,omitempty"`
}

// named is one of the runtimes, the first of which the others are compared with.
type named struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// row is an operation: its cells by the name of a runtime or yardstick.
type row struct {
	Name  string          `json:"name"`
	Cells map[string]cell `json:"cells"`
}

// cell is what an operation of one runtime takes, by metric.
type cell map[string]*stat

// stat sums values up.
type stat struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	P90    float64 `json:"p90"`

	values []float64
}

// newResults describes the machine.
func newResults(c *config) (*results, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	r := &results{
		Date: time.Now().UTC().Format(time.DateOnly), Kernel: string(bytes.TrimSpace(release)), CPUs: runtime.NumCPU(),
		Load: strings.Join(strings.Fields(string(load))[:3], " "), Cgroup: "v1", Limits: haveLimits(), Rounds: c.rounds,
		GapMS: float64(c.gap) / float64(time.Millisecond),
	}
	if unified() {
		r.Cgroup = "v2"
	}
	for _, rt := range c.runtimes {
		if rt.only == nil {
			r.Runtime = append(r.Runtime, named{rt.name, rt.version})
		}
	}
	return r, nil
}

// unified tells whether /sys/fs/cgroup is cgroup v2.
func unified() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// row finds a row.
func (r *results) row(name string) *row {
	if i := slices.IndexFunc(r.Rows, func(o *row) bool { return o.Name == name }); i >= 0 {
		return r.Rows[i]
	}
	return nil
}

// find is a statistic, or nil.
func (r *results) find(name, runtime, metric string) *stat {
	if row := r.row(name); row != nil {
		return row.Cells[runtime][metric]
	}
	return nil
}

// add adds a value.
func (r *results) add(name, runtime, metric string, value float64) {
	o := r.row(name)
	if o == nil {
		o = &row{Name: name, Cells: map[string]cell{}}
		r.Rows = append(r.Rows, o)
	}
	if o.Cells[runtime] == nil {
		o.Cells[runtime] = cell{}
	}
	s := o.Cells[runtime][metric]
	if s == nil {
		s = &stat{}
		o.Cells[runtime][metric] = s
	}
	s.values = append(s.values, value)
}

// finish sums up what has been added, and brings the rows into their order.
func (r *results) finish() {
	for _, o := range r.Rows {
		for _, cell := range o.Cells {
			for _, s := range cell {
				s.sumUp()
			}
		}
	}
	slices.SortStableFunc(r.Rows, func(a, b *row) int { return rank(a.Name) - rank(b.Name) })
}

// sumUp computes the statistic of the values.
func (s *stat) sumUp() {
	slices.Sort(s.values)
	s.N, s.Median, s.Min, s.P90 = len(s.values), round(median(s.values)), round(s.values[0]), round(percentile(s.values, 0.9))
}

// round leaves what a measurement can tell, so that files of results stay small.
func round(x float64) float64 { return float64(int64(x*1000+0.5)) / 1000 }

// percentile is the value below which p of the sorted values are, by nearest rank.
func percentile(sorted []float64, p float64) float64 {
	i := int(p*float64(len(sorted)) + 0.999999)
	return sorted[min(max(i-1, 0), len(sorted)-1)]
}

// median is the middle value, or the mean of the two in the middle.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// save writes a file that load reads.
func (r *results) save(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// load reads results.
func load(file string) (*results, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Runtime) == 0 || len(r.Rows) == 0 {
		return nil, fmt.Errorf("%s: no results", file)
	}
	return r, nil
}
