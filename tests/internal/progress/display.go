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

// display shows the output and the progress of the work.
type display struct {
	out   io.Writer
	log   io.Writer
	label string
	every time.Duration
	// width is that of the terminal; 0 for a log.
	width int
	began time.Time
	// said is when the last output was written.
	said time.Time

	done, total int
	// what is the current step, and last is the line that was drawn last.
	what, last string
	// shown is the number of characters in the terminal's last line.
	shown int
	// tests holds back the output of tests; nil if the lines are not from a test binary.
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

// tick returns the interval at which to call remind.
func (d *display) tick() time.Duration {
	if d.width > 0 {
		return time.Second
	}
	return max(d.every/4, time.Millisecond)
}

// line handles a line of the work's output.
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

// step parses the text after "@progress ", and reports whether it is valid.
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

// write writes lines above the terminal's last line.
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

// remind reports the progress if that is due.
func (d *display) remind(now time.Time) {
	if d.width > 0 {
		d.draw(now)
	} else if now.Sub(d.said) >= d.every {
		_, _ = fmt.Fprintln(d.out, d.state(now))
		d.said = now
	}
}

// state returns one line: "label: 3 of 20, 1m5s: what".
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

// draw redraws the terminal's last line. It leaves the right edge free, where some terminals
// start a new line.
func (d *display) draw(now time.Time) {
	text := []rune(d.state(now))
	if len(text) >= d.width {
		text = text[:d.width-1]
	}
	pad := max(d.shown-len(text), 0)
	_, _ = fmt.Fprintf(d.out, "\r%s%s", string(text), strings.Repeat(" ", pad))
	d.shown = len(text)
}

// erase clears the terminal's last line.
func (d *display) erase() {
	_, _ = fmt.Fprintf(d.out, "\r%s\r", strings.Repeat(" ", d.shown))
	d.shown = 0
}

// finish writes what is still held back.
func (d *display) finish() {
	if d.tests != nil {
		d.write(d.tests.rest())
	}
	if d.shown > 0 {
		d.erase()
	}
}

// printable removes control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
}
