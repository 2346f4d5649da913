// SPDX-License-Identifier: Apache-2.0

package top

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// columns are the headings. All columns but the first are aligned on the right.
var columns = [...]string{"ID", "CPU %", "MEMORY", "LIMIT", "MEM %", "PEAK", "PSI C/M/I", "TASKS", "IO R/W", "NET R/S", "OOM"}

// least are the widths that columns have at least, so that a live table does not jump.
var least = [...]int{12, 6, 8, 8, 6, 8, 11, 6, 13, 13, 4}

// Lines returns the table: the heading and a line for each row. It has the rows in their order.
func (s *Sample) Lines() []string {
	table := [][]string{columns[:]}
	widths := least
	for i := range s.Rows {
		table = append(table, s.Rows[i].cells())
	}
	for _, row := range table {
		for n, cell := range row {
			widths[n] = max(widths[n], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(table))
	for i, row := range table {
		var b strings.Builder
		fmt.Fprintf(&b, "%-*s", widths[0], row[0])
		for n, cell := range row[1:] {
			fmt.Fprintf(&b, "  %*s", widths[n+1], cell)
		}
		lines[i] = b.String()
	}
	return lines
}

// Text returns the table as text.
func (s *Sample) Text() string { return strings.Join(s.Lines(), "\n") + "\n" }

func (r *Row) cells() []string {
	id := r.ID
	if r.Status != "running" {
		id += " (" + r.Status + ")"
	}
	return []string{
		id, fixed(r.CPU), bytes(r.Memory), bytes(r.MemoryLimit), fixed(r.MemoryPercent), bytes(r.MemoryPeak),
		joined(fixed, r.PressureCPU, r.PressureMemory, r.PressureIO), number(r.Tasks),
		joined(bytes, r.Read, r.Written), joined(bytes, r.Received, r.Sent), number(r.OOMKills),
	}
}

// unknown is shown for a number that is not known, and for no limit.
const unknown = "-"

func fixed(f *float64) string {
	if f == nil {
		return unknown
	}
	return strconv.FormatFloat(*f, 'f', 1, 64)
}

func number(n *uint64) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatUint(*n, 10)
}

// bytes returns a size of at most 6 characters: three digits and the unit, a power of 1024.
func bytes(n *uint64) string {
	if n == nil {
		return unknown
	}
	f, unit := float64(*n), 0
	for f >= 999.5 && unit < 6 {
		f /= 1024
		unit++
	}
	digits := 0
	if unit > 0 && f < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + [...]string{"B", "K", "M", "G", "T", "P", "E"}[unit]
}

// joined joins the cells of a column of several numbers, which are known together or not at all.
func joined[T any](format func(*T) string, numbers ...*T) string {
	cells := make([]string, len(numbers))
	all := true
	for i, n := range numbers {
		cells[i] = format(n)
		all = all && n == nil
	}
	if all {
		return unknown
	}
	return strings.Join(cells, "/")
}
