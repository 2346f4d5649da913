// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"

	"github.com/berth-run/berth/cmd/internal/top"
)

// view is what is on the screen.
type view struct {
	screen tcell.Screen
	sample *top.Sample // nil until there is one
	key    top.Key
	// reverse turns the order around.
	reverse bool
	colour  bool
	// row and column are the first ones that are shown.
	row, column int
}

// show shows a new sample.
func (v *view) show(s *top.Sample) { v.sample = s }

// page is the number of rows that fit between the two lines at the top and the one at the bottom.
func (v *view) page() int {
	_, height := v.screen.Size()
	return max(1, height-3)
}

// handle handles a key press or a new size, and reports whether to quit.
func (v *view) handle(event tcell.Event) (quit bool) {
	switch e := event.(type) {
	case *tcell.EventResize:
		v.screen.Sync()
	case *tcell.EventError:
		return true
	case *tcell.EventKey:
		return v.press(e)
	}
	return false
}

func (v *view) press(e *tcell.EventKey) (quit bool) {
	switch e.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		return true
	case tcell.KeyCtrlL:
		v.screen.Sync()
	case tcell.KeyUp:
		v.row--
	case tcell.KeyDown:
		v.row++
	case tcell.KeyPgUp:
		v.row -= v.page()
	case tcell.KeyPgDn:
		v.row += v.page()
	case tcell.KeyHome:
		v.row, v.column = 0, 0
	case tcell.KeyEnd:
		v.row = 1 << 30
	case tcell.KeyLeft:
		v.column -= 8
	case tcell.KeyRight:
		v.column += 8
	case tcell.KeyRune:
		return v.pressRune(e.Rune())
	}
	return false
}

func (v *view) pressRune(r rune) (quit bool) {
	switch r {
	case 'q':
		return true
	case 'r':
		v.reverse = !v.reverse
	}
	for _, k := range top.Keys() {
		if k.Rune == r {
			v.key, v.reverse, v.row = k, false, 0
		}
	}
	return false
}

// draw draws everything. tcell writes only what has changed to the terminal.
func (v *view) draw() {
	v.screen.Clear()
	width, height := v.screen.Size()
	plain := tcell.StyleDefault
	if v.sample == nil {
		v.line(0, 0, width, "berth top: measuring ...", plain.Bold(true))
		v.screen.Show()
		return
	}
	v.sample.Sort(v.key, v.reverse)
	lines := v.sample.Lines()
	v.row = max(0, min(v.row, len(lines)-1-v.page()))
	v.column = max(0, min(v.column, len(lines[0])-width))
	order := "by " + v.key.Name
	if v.reverse {
		order += ", reversed"
	}
	title := fmt.Sprintf("berth top  %s  %s  %s", v.sample.Time.Local().Format("15:04:05"), count(len(v.sample.Rows)), order)
	v.line(0, 0, width, title, plain.Bold(true))
	v.line(1, v.column, width, lines[0], plain.Reverse(true))
	v.markColumn(lines[0], width)
	for y := 2; y < height-1 && v.row+y-1 < len(lines); y++ {
		n := v.row + y - 1
		v.line(y, v.column, width, lines[n], v.style(&v.sample.Rows[n-1]))
	}
	v.line(height-1, 0, width, help(), plain.Dim(true))
	v.screen.Show()
}

func count(n int) string {
	if n == 1 {
		return "1 container"
	}
	return fmt.Sprintf("%d containers", n)
}

// help lists the keys.
func help() string {
	var b strings.Builder
	b.WriteString("q quit  r reverse  sort:")
	for _, k := range top.Keys() {
		fmt.Fprintf(&b, " %c:%s", k.Rune, k.Name)
	}
	return b.String()
}

// style shows in red what is near its limit of memory or had a process killed, and dims what is not
// running.
func (v *view) style(r *top.Row) tcell.Style {
	s := tcell.StyleDefault
	switch {
	case r.OOMKills != nil && *r.OOMKills > 0, r.MemoryPercent != nil && *r.MemoryPercent >= 90:
		if s = s.Bold(true); v.colour {
			s = s.Foreground(tcell.ColorRed)
		}
	case r.Status != "running":
		s = s.Dim(true)
	}
	return s
}

// markColumn marks the heading of the column that the rows are sorted by.
func (v *view) markColumn(heading string, width int) {
	style := tcell.StyleDefault.Reverse(true).Bold(true).Underline(true)
	if v.colour {
		style = style.Foreground(tcell.ColorGreen)
	}
	at := strings.Index(heading, v.key.Column)
	for n := range v.key.Column {
		if x := at + n - v.column; at >= 0 && x >= 0 && x < width {
			v.screen.SetContent(x, 1, rune(v.key.Column[n]), nil, style)
		}
	}
}

// line draws a text from a column on, and fills the rest of the line with the style.
func (v *view) line(y, from, width int, text string, style tcell.Style) {
	runes := []rune(text)
	for x := range width {
		r := ' '
		if from+x < len(runes) {
			r = runes[from+x]
		}
		v.screen.SetContent(x, y, r, nil, style)
	}
}
