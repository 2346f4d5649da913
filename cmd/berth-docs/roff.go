// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

// page is a manual page in the making, in the language of man(7).
type page struct{ b strings.Builder }

// newPage begins the page NAME(SECTION).
func newPage(name, section string, date time.Time, version, manual string) *page {
	p := new(page)
	fmt.Fprintf(&p.b, ".TH \"%s\" \"%s\" \"%s\" \"berth %s\" \"%s\"\n", escape(strings.ToUpper(name)), section,
		date.Format(time.DateOnly), escape(version), manual)
	return p
}

func (p *page) section(name string) {
	fmt.Fprintf(&p.b, ".SH %s\n", quote(name))
}

func (p *page) subsection(name string) {
	fmt.Fprintf(&p.b, ".SS %s\n", quote(name))
}

// text adds paragraphs, which empty lines separate. Lines that are indented stay as they are.
func (p *page) text(text string) {
	for i, block := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			p.b.WriteString(".PP\n")
		}
		p.block(block)
	}
}

func (p *page) block(block string) {
	literal := false
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case indented && !literal:
			if !strings.HasPrefix(p.last(), ".S") { // a heading
				p.b.WriteString(".PP\n")
			}
			p.b.WriteString(".nf\n.RS 4\n")
		case !indented && literal:
			p.b.WriteString(".RE\n.fi\n.PP\n")
		}
		literal = indented
		p.line(inline(strings.TrimSpace(line)))
	}
	if literal {
		p.b.WriteString(".RE\n.fi\n")
	}
}

// last returns the last line.
func (p *page) last() string {
	text := strings.TrimSuffix(p.b.String(), "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// item adds a tagged paragraph. tag is marked up already, and about is in plain words.
func (p *page) item(tag, about string) {
	p.b.WriteString(".TP\n")
	p.line(tag)
	if about == "" {
		about = "\\&"
	}
	p.line(inline(about))
}

// line adds a line of text. At its beginning, a dot or a quote would be a request.
func (p *page) line(text string) {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	p.b.WriteString(text + "\n")
}

// String returns the page.
func (p *page) String() string { return p.b.String() }

// escape escapes a text. A "-" is written as \-, which a terminal shows as the character that can
// be copied into a command line.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", `...`, "µ", `\(mc`).Replace(text)
}

// quote makes a text the argument of a macro.
func quote(text string) string {
	return `"` + strings.ReplaceAll(escape(text), `"`, `\(dq`) + `"`
}

func bold(text string) string   { return `\fB` + escape(text) + `\fP` }
func italic(text string) string { return `\fI` + escape(text) + `\fP` }

// inline converts the little of Markdown that our texts have: `code` becomes bold, and [a link](x)
// its text.
func inline(text string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "`")
		code, after, closed := strings.Cut(rest, "`")
		if !ok || !closed {
			b.WriteString(escape(links(text)))
			return b.String()
		}
		b.WriteString(escape(links(before)) + bold(code))
		text = after
	}
}

// links replaces links by their texts.
func links(text string) string {
	for {
		before, rest, ok := strings.Cut(text, "[")
		label, after, ok2 := strings.Cut(rest, "](")
		_, after, ok3 := strings.Cut(after, ")")
		if !ok || !ok2 || !ok3 {
			return text
		}
		text = before + label + after
	}
}
