// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// display is what is shown and how far the work is.
type display struct {
	out   io.Writer
	log   io.Writer
	label string
	every time.Duration
	// width is that of the terminal, 0 for a log.
	width int
	began time.Time
	// said is when something was last written.
	said time.Time

	done, total int
	// what is being done, last the last line.
	what, last string
	// shown is how many characters the terminal's last line has.
	shown int
	// tests holds back what a test prints; nil when lines are not those of tests.
	tests *tests
}

func newDisplay(o *options) *display {
	d := &display{out: os.Stdout, label: o.label, every: o.every, width: width(os.Stdout), began: time.Now()}
	d.said = d.began
	if o.gotest {
		d.total, d.tests = o.total, &tests{}
	}
	return d
}

// tick is how often to look whether there is something to say.
func (d *display) tick() time.Duration {
	if d.width > 0 {
		return time.Second
	}
	return max(d.every/4, time.Millisecond)
}

// line takes one of the work's lines.
func (d *display) line(line string) {
	if rest, ok := strings.CutPrefix(line, "@progress "); ok && d.step(rest) {
		if d.width > 0 {
			d.draw(time.Now())
		}
		return
	}
	if d.log != nil {
		_, _ = io.WriteString(d.log, line)
		if text := strings.TrimSpace(line); text != "" {
			d.last = text
		}
		return
	}
	if d.tests != nil {
		line = d.tests.line(line)
		d.done, d.what = d.tests.done, d.tests.now
	}
	d.write(line)
}

// step takes what follows "@progress ", and says whether that is what it should be.
func (d *display) step(text string) bool {
	done, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	total, what, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(done)
	m, err2 := strconv.Atoi(total)
	if err != nil || err2 != nil {
		return false
	}
	d.done, d.total, d.what = n, m, what
	return true
}

// write writes lines above the terminal's last one.
func (d *display) write(lines string) {
	if lines == "" {
		return
	}
	if d.shown > 0 {
		d.erase()
	}
	if d.width > 0 && !strings.HasSuffix(lines, "\n") {
		lines += "\n"
	}
	_, _ = io.WriteString(d.out, lines)
	d.said = time.Now()
}

// remind says how far the work is, where that is due.
func (d *display) remind(now time.Time) {
	if d.width > 0 {
		d.draw(now)
	} else if now.Sub(d.said) >= d.every {
		_, _ = fmt.Fprintln(d.out, d.state(now))
		d.said = now
	}
}

// state is one line: "label: 3 of 20, 1m5s: what".
func (d *display) state(now time.Time) string {
	var b strings.Builder
	b.WriteString(d.label)
	b.WriteString(": ")
	if d.total > 0 {
		fmt.Fprintf(&b, "%d of %d, ", d.done, d.total)
	} else if d.done > 0 {
		fmt.Fprintf(&b, "%d, ", d.done)
	}
	b.WriteString(now.Sub(d.began).Truncate(time.Second).String())
	for _, detail := range []string{d.what, d.last} {
		if detail != "" {
			b.WriteString(": ")
			b.WriteString(printable(detail))
		}
	}
	return b.String()
}

// draw writes the terminal's last line again. It does not reach the right edge, where some
// terminals begin a new one.
func (d *display) draw(now time.Time) {
	text := []rune(d.state(now))
	if len(text) >= d.width {
		text = text[:d.width-1]
	}
	pad := max(d.shown-len(text), 0)
	_, _ = fmt.Fprintf(d.out, "\r%s%s", string(text), strings.Repeat(" ", pad))
	d.shown = len(text)
}

// erase leaves the terminal's last line empty.
func (d *display) erase() {
	_, _ = fmt.Fprintf(d.out, "\r%s\r", strings.Repeat(" ", d.shown))
	d.shown = 0
}

// finish shows what is still held back.
func (d *display) finish() {
	if d.tests != nil {
		d.write(d.tests.rest())
	}
	if d.shown > 0 {
		d.erase()
	}
}

// printable leaves out what would be a control character in a log.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
}
