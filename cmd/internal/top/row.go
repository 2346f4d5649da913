// SPDX-License-Identifier: Apache-2.0

// Package top has the table of `berth top`: its rows, their order and their columns. It does not
// know where the numbers come from, so that berth-top, which shows the table on a terminal, is not
// linked with the rest of berth.
package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sample is what all containers use at one moment. Its JSON is a line of `top --format json`.
type Sample struct {
	Time time.Time `json:"time"`
	// Interval is the time for which CPU is measured, in seconds.
	Interval float64 `json:"interval_seconds"`
	Rows     []Row   `json:"containers"`
}

// Row is what one container uses. A number is nil if it is not known, and a limit if there is none.
type Row struct {
	ID     string `json:"id"`
	PID    int    `json:"pid"`
	Status string `json:"status"`
	// CPU is in percent of one CPU, in the interval of the sample.
	CPU        *float64 `json:"cpu_percent"`
	CPUSeconds *float64 `json:"cpu_seconds"`
	// Memory is without the page cache that was not used recently, as in Docker's and Kubernetes'
	// tables; MemoryUsage is with it.
	Memory        *uint64  `json:"memory_bytes"`
	MemoryUsage   *uint64  `json:"memory_usage_bytes"`
	MemoryLimit   *uint64  `json:"memory_limit_bytes"`
	MemoryPercent *float64 `json:"memory_percent"`
	MemoryPeak    *uint64  `json:"memory_peak_bytes"`
	// The pressures are the time, in percent, in which some task waited in the last 10 seconds.
	PressureCPU    *float64 `json:"pressure_cpu_percent"`
	PressureMemory *float64 `json:"pressure_memory_percent"`
	PressureIO     *float64 `json:"pressure_io_percent"`
	Tasks          *uint64  `json:"tasks"`
	TasksLimit     *uint64  `json:"tasks_limit"`
	Read           *uint64  `json:"io_read_bytes"`
	Written        *uint64  `json:"io_written_bytes"`
	Received       *uint64  `json:"network_received_bytes"`
	Sent           *uint64  `json:"network_sent_bytes"`
	OOMKills       *uint64  `json:"oom_kills"`
}

// Key is what rows can be sorted by.
type Key struct {
	// Name is the value of --sort, and Rune the key to press.
	Name string
	Rune rune
	// Column is the heading of the column that the rows are sorted by.
	Column  string
	compare func(a, b *Row) int
}

// Keys returns all keys. The first is the default.
func Keys() []Key {
	return []Key{
		{"cpu", 'c', "CPU %", descending(func(r *Row) *float64 { return r.CPU })},
		{"memory", 'm', "MEMORY", descending(func(r *Row) *uint64 { return r.Memory })},
		{"percent", '%', "MEM %", descending(func(r *Row) *float64 { return r.MemoryPercent })},
		{"peak", 'k', "PEAK", descending(func(r *Row) *uint64 { return r.MemoryPeak })},
		{"pressure", 'p', "PSI C/M/I", descending((*Row).pressure)},
		{"tasks", 't', "TASKS", descending(func(r *Row) *uint64 { return r.Tasks })},
		{"io", 'i', "IO R/W", descending(func(r *Row) *uint64 { return sum(r.Read, r.Written) })},
		{"network", 'n', "NET R/S", descending(func(r *Row) *uint64 { return sum(r.Received, r.Sent) })},
		{"oom", 'o', "OOM", descending(func(r *Row) *uint64 { return r.OOMKills })},
		{"id", 'd', "ID", func(a, b *Row) int { return cmp.Compare(a.ID, b.ID) }},
	}
}

// KeyNames returns the values of --sort.
func KeyNames() []string {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	return names
}

// FindKey finds a key by its name.
func FindKey(name string) (Key, error) {
	keys := Keys()
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, fmt.Errorf("--sort: unknown key %q, must be one of %s", name, strings.Join(KeyNames(), ", "))
	}
	return keys[i], nil
}

// Sort sorts the rows, with the most at the top. Rows that are equal are sorted by id, so that they
// keep their places.
func (s *Sample) Sort(k Key, reverse bool) {
	slices.SortStableFunc(s.Rows, func(a, b Row) int {
		n := k.compare(&a, &b)
		if reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
}

// descending compares by a number. A number that is not known is less than any other.
func descending[T cmp.Ordered](of func(*Row) *T) func(a, b *Row) int {
	return func(a, b *Row) int {
		switch x, y := of(a), of(b); {
		case x != nil && y != nil:
			return cmp.Compare(*y, *x)
		case x != nil:
			return -1
		case y != nil:
			return 1
		}
		return 0
	}
}

// pressure is the highest of the three.
func (r *Row) pressure() *float64 {
	var most *float64
	for _, p := range [...]*float64{r.PressureCPU, r.PressureMemory, r.PressureIO} {
		if p != nil && (most == nil || *p > *most) {
			most = p
		}
	}
	return most
}

func sum(a, b *uint64) *uint64 {
	if a == nil || b == nil {
		return nil
	}
	n := *a + *b
	return &n
}
