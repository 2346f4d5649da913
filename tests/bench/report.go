// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print shows one mode's table.
func (r *results) print(w io.Writer, mode string, c *config) error {
	gaps := "back to back"
	if mode == "calm" {
		gaps = fmt.Sprintf("gaps of %v to %v", c.minGap, c.maxGap)
	}
	var text strings.Builder
	text.WriteString("\t")
	for _, rt := range c.runtimes {
		text.WriteString(rt.name + "\t\t")
	}
	for _, row := range r.rows {
		text.WriteString("\n" + row + "\t")
		for _, rt := range c.runtimes {
			text.WriteString(r.cell(row, rt.name, c.runtimes[0].name))
		}
	}
	return table(w, mode+": "+gaps, text.String(), r.notes)
}

// table prints tab-divided lines as columns, between a title and notes.
func table(w io.Writer, title, lines string, notes []string) error {
	var b strings.Builder
	b.WriteString("\n" + title + "\n")
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(tw, lines+"\n"); err != nil {
		return err
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell is one runtime's part of a row.
func (r *results) cell(row, name, base string) string {
	values := sorted(r.times[row][name])
	if len(values) == 0 {
		return "-\t\t"
	}
	ratio := ""
	if ref := sorted(r.times[row][base]); len(ref) > 0 && name != base {
		ratio = fmt.Sprintf("x%.2f", median(values)/median(ref))
	}
	return fmt.Sprintf("%.2f (%.2f)\t%s\t", median(values), percentile(values, 0.9), ratio)
}
