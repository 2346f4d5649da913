// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// titles are the rows, in the order in which they are shown.
var titles = []struct{ name, title string }{
	{"version", "`--version`"},
	{"run", "`run`"},
	{"create", "`create`"},
	{"start", "`start`"},
	{"delete", "`delete`"},
	{"cycle", "`create`, `start`, `delete`"},
	{"exec", "`exec`"},
	{"state", "`state`"},
	{"kill", "`kill`"},
	{"docker.run", "`run`, as Docker"},
	{"docker.create", "`create`, as Docker"},
	{"docker.start", "`start`, as Docker"},
	{"docker.delete", "`delete`, as Docker"},
	{"docker.cycle", "all three, as Docker"},
	{"docker.exec", "`exec`, as Docker"},
	{"pod.run", "`run`, in a pod"},
	{"pod.create", "`create`, in a pod"},
	{"pod.start", "`start`, in a pod"},
	{"pod.delete", "`delete`, in a pod"},
	{"pod.cycle", "all three, in a pod"},
	{"pod.exec", "`exec`, in a pod"},
	{"burst4", "20 `run`, 4 at once: each"},
	{"burst16", "20 `run`, 16 at once: each"},
	{"run1000", "`run`, 1,000 mounts on the host"},
	{"run4000", "`run`, 4,000 mounts on the host"},
	{"list300", "`list` of 300 containers"},
	{"create300", "`create` beside 300 containers"},
	{"created", "a created container"},
	{"docker.created", "a created container, as Docker"},
	{"pod.created", "a created container, in a pod"},
}

// rank is the place of a row.
func rank(name string) int {
	return slices.IndexFunc(titles, func(t struct{ name, title string }) bool { return t.name == name })
}

// title is what people call a row.
func title(name string) string {
	if i := rank(name); i >= 0 {
		return titles[i].title
	}
	return name
}

// number has as many digits as it has worth.
func number(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// count is a number of things.
func count(x float64) string { return fmt.Sprintf("%.0f", x) }

// megabytes is KiB as MB.
func megabytes(x float64) string { return number(x * 1024 / 1e6) }

// metric is what a table is made of.
type metric struct {
	name, title string
	format      func(float64) string
}

var metrics = []metric{
	{metricTime, "ms", number},
	{metricCPU, "ms of CPU time", number},
	{metricFaults, "page faults", count},
	{metricSwitches, "context switches", count},
	{metricPeak, "peak memory in MB", megabytes},
	{metricResident, "resident memory in MB", megabytes},
}

// metricOf finds a metric.
func metricOf(name string) (metric, bool) {
	i := slices.IndexFunc(metrics, func(m metric) bool { return m.name == name })
	if i < 0 {
		return metric{}, false
	}
	return metrics[i], true
}

// table is one that is shown as text or as Markdown: a heading, and lines.
type table [][]string

// of makes the table of a metric: the runtimes' cells of each row that has any. The best
// median is marked.
func (r *results) of(m metric, mark string) table {
	head := []string{m.title}
	for _, rt := range r.Runtime {
		head = append(head, rt.Name)
	}
	t := table{head}
	for _, row := range r.Rows {
		line, empty := []string{title(row.Name)}, true
		best := m.format(r.best(row.Name, m.name))
		for _, rt := range r.Runtime {
			s := row.Cells[rt.Name][m.name]
			if s == nil {
				line = append(line, "-")
				continue
			}
			empty = false
			text := m.format(s.Median)
			if text == best && len(r.Runtime) > 1 {
				text = mark + text + mark
			}
			if m.name == metricTime {
				text += " (" + m.format(s.Min) + ")"
			}
			line = append(line, text)
		}
		if !empty {
			t = append(t, line)
		}
	}
	return t
}

// best is the lowest median of the runtimes.
func (r *results) best(name, metric string) float64 {
	best := -1.0
	for _, rt := range r.Runtime {
		if s := r.find(name, rt.Name, metric); s != nil && (best < 0 || s.Median < best) {
			best = s.Median
		}
	}
	return best
}

// yardsticks compares the first runtime with the programs that do as little as can be done.
func (r *results) yardsticks() table {
	t := table{{"ms", "the yardstick", r.Runtime[0].Name, "times", "times, minima"}}
	for _, y := range []struct{ row, name, title string }{
		{"version", wordName, "`--version`, and a Go program that prints a word"},
		{"run", floorName, "`run`, and floor.c"},
		{"run1000", floorName, "both with 1,000 mounts"},
		{"run4000", floorName, "both with 4,000 mounts"},
	} {
		a, b := r.find(y.row, y.name, metricTime), r.find(y.row, r.Runtime[0].Name, metricTime)
		if a == nil || b == nil {
			continue
		}
		t = append(t, []string{
			y.title, number(a.Median) + " (" + number(a.Min) + ")", number(b.Median) + " (" + number(b.Min) + ")",
			number(b.Median / a.Median), number(b.Min / a.Min),
		})
	}
	return t
}

// behind lists what another runtime does faster than the first, by more than noise.
func (r *results) behind() []string {
	var list []string
	first := r.Runtime[0].Name
	for _, row := range r.Rows {
		ours := r.find(row.Name, first, metricTime)
		if ours == nil {
			continue
		}
		for _, rt := range r.Runtime[1:] {
			if s := r.find(row.Name, rt.Name, metricTime); s != nil && ours.Median > s.Median*1.02 {
				list = append(list, fmt.Sprintf("%s (%s: %s ms to %s)", title(row.Name), rt.Name, number(ours.Median), number(s.Median)))
			}
		}
	}
	return list
}

// machine says where and how this has been measured.
func (r *results) machine() string {
	limits := ""
	if !r.Limits {
		limits = ", no controllers for limits"
	}
	return fmt.Sprintf("%s, Linux %s, %d CPUs, load %s, cgroup %s%s; %d rounds, gaps of %g ms", r.Date, r.Kernel, r.CPUs,
		strings.Fields(r.Load + " ?")[0], r.Cgroup, limits, r.Rounds, r.GapMS)
}

// print shows all tables as text.
func (r *results) print(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.machine() + "\n")
	for _, rt := range r.Runtime {
		fmt.Fprintf(&b, "%-8s %s\n", rt.Name, rt.Version)
	}
	for _, m := range metrics {
		t := r.of(m, "")
		if len(t) < 2 {
			continue
		}
		if m.name == metricTime {
			t[0][0] += ", median (minimum)"
		}
		if err := t.text(&b); err != nil {
			return err
		}
	}
	if t := r.yardsticks(); len(t) > 1 {
		if err := t.text(&b); err != nil {
			return err
		}
	}
	if list := r.behind(); len(list) > 0 {
		fmt.Fprintf(&b, "\n%s is behind: %s\n", r.Runtime[0].Name, strings.Join(list, ", "))
	}
	for _, n := range r.Notes {
		b.WriteString(n + "\n")
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), "`", ""))
	return err
}

// text writes a table as columns.
func (t table) text(b *strings.Builder) error {
	b.WriteString("\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, line := range t {
		if _, err := io.WriteString(tw, strings.ReplaceAll(strings.Join(line, "\t"), "`", "")+"\t\n"); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// markdown is a table of a document.
func (t table) markdown() string {
	var b strings.Builder
	for i, line := range t {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
	return b.String()
}
