// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The sizes of a plot in pixels: panels in columns, each with a bar for each runtime.
const (
	plotColumns = 3
	panelWidth  = 300
	panelGap    = 16
	titleHeight = 18
	barHeight   = 13
	barLeft     = 52  // after the runtime's name
	barMost     = 190 // what is left is for the number
)

// colours are the runtimes', and the last that of yardsticks. They can be told apart on
// white, on black, and by most people.
var colours = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#888888"}

// bar is one of a panel.
type bar struct {
	name, colour string
	median, min  float64
}

// plotFile draws a file's results.
func plotFile(file, metric, output string) error {
	if output == "" {
		return errors.New("-plot wants a file for -o")
	}
	r, err := load(file)
	if err != nil {
		return err
	}
	svg, err := r.plot(metric)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(svg), 0o644)
}

// plot draws the medians of a metric: a panel for each row, with a scale of its own, as rows
// differ too much for one.
func (r *results) plot(name string) (string, error) {
	m, ok := metricOf(name)
	if !ok {
		return "", fmt.Errorf("unknown metric %q", name)
	}
	var names []string
	most := 0
	for _, row := range r.Rows {
		if n := len(r.bars(row, m.name)); n > 0 {
			names = append(names, row.Name)
			most = max(most, n)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no row has %s", name)
	}
	height := titleHeight + most*barHeight + panelGap
	lines := (len(names) + plotColumns - 1) / plotColumns
	var b strings.Builder
	width, total := plotColumns*(panelWidth+panelGap)+panelGap, 40+lines*height
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n",
		width, total, width, total)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, total)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="14">%s, medians on cgroup %s; less is better; the line in a bar is the minimum</text>`+"\n",
		panelGap, escape(m.title), escape(r.Cgroup))
	for n, row := range names {
		x, y := panelGap+n%plotColumns*(panelWidth+panelGap), 40+n/plotColumns*height
		panel(&b, x, y, strings.ReplaceAll(title(row), "`", ""), r.bars(r.row(row), m.name), m.format)
	}
	b.WriteString("</svg>\n")
	return b.String(), nil
}

// bars are those of a row.
func (r *results) bars(row *row, metric string) []bar {
	var list []bar
	for i, rt := range r.Runtime {
		if s := row.Cells[rt.Name][metric]; s != nil {
			list = append(list, bar{rt.Name, colours[min(i, len(colours)-2)], s.Median, s.Min})
		}
	}
	for _, name := range []string{floorName, wordName} {
		if s := row.Cells[name][metric]; s != nil {
			list = append(list, bar{name, colours[len(colours)-1], s.Median, s.Min})
		}
	}
	return list
}

// panel draws one row.
func panel(b *strings.Builder, x, y int, title string, bars []bar, format func(float64) string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x, y+12, escape(title))
	most := 0.0
	for _, o := range bars {
		most = max(most, o.median)
	}
	for i, o := range bars {
		top, length, least := y+titleHeight+i*barHeight, 0.0, 0.0
		if most > 0 {
			length, least = o.median/most*barMost, o.min/most*barMost
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, x+barLeft-4, top+10, escape(o.name))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, x+barLeft, top+1, length, barHeight-3, o.colour)
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="1" height="%d" fill="#ffffff"/>`, float64(x+barLeft)+least, top+1, barHeight-3)
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", float64(x+barLeft)+length+4, top+10, format(o.median))
	}
}

// escape makes text safe in XML.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
