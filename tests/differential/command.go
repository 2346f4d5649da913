// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// section is a command line with a setup, and the words that can be inserted.
type section struct {
	setup   string
	v1      bool
	command []string
}

// commandCases reads the table of command lines.
func commandCases(c *config) ([]*testCase, error) {
	text, err := tables.ReadFile("tables/commands")
	if err != nil {
		return nil, err
	}
	var all []*testCase
	var s section
	number := 0
	seen := map[string]bool{}
	add := func(words ...string) {
		// Some parts of the table give the same command line.
		key := fmt.Sprintf("%s %v %q", s.setup, s.v1, words)
		if seen[key] || s.v1 != (c.mode == "v1") {
			return
		}
		seen[key] = true
		parts := append([]string{"setup:" + s.setup, "command:" + show(words)}, forms(words)...)
		all = append(all, &testCase{Parts: parts, Setup: s.setup, Command: words})
	}
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		words, err := split(rest)
		if err != nil {
			return nil, fmt.Errorf("tables/commands:%d: %w", number, err)
		}
		switch kind {
		case "==":
			if s, err = newSection(rest); err != nil {
				return nil, fmt.Errorf("tables/commands:%d: %w", number, err)
			}
			add(s.command...)
		case "line":
			add(append([]string{s.command[0]}, words...)...)
		case "all":
			add(words...)
		case "bool":
			s.boolean(words, add)
		case "value":
			s.valued(words, add)
		default:
			return nil, fmt.Errorf("tables/commands:%d: unknown %q", number, kind)
		}
	}
	return all, nil
}

func newSection(text string) (section, error) {
	left, right, ok := strings.Cut(text, " | ")
	if !ok {
		return section{}, fmt.Errorf("no | in %q", text)
	}
	fields := strings.Fields(left)
	command, err := split(right)
	return section{fields[0], len(fields) > 1 && fields[1] == "v1", command}, err
}

// with returns the section's command line with words inserted between the command and its
// arguments.
func (s section) with(words ...string) []string {
	return append(append([]string{s.command[0]}, words...), s.command[1:]...)
}

// boolean adds an option without a value in the forms that people and engines use.
func (s section) boolean(names []string, add func(...string)) {
	for _, name := range names {
		add(s.with(name)...)
		add(s.with(name, name)...)
		add(s.with(name + "=true")...)
		add(s.with(name + "=false")...)
		add(s.with(name + "=")...)
		add(s.with(name + "=bogus")...)
	}
	add(append(s.with(), names[0])...)
}

// valued adds an option with a value.
func (s section) valued(words []string, add func(...string)) {
	var names, good, bad []string
	at := &names
	for _, w := range words {
		switch w {
		case "=":
			at = &good
		case "!":
			at = &bad
		default:
			*at = append(*at, w)
		}
	}
	for i, v := range good {
		for _, name := range names {
			add(s.with(name, v)...)
			add(s.with(name + "=" + v)...)
			if i == 0 {
				// These are twice, without a value, after the arguments, and with one dash.
				add(s.with(name, v, name, v)...)
				add(s.command[0], name)
				add(append(s.with(), name, v)...)
				add(s.with(strings.TrimPrefix(name, "-"), v)...)
			}
		}
	}
	for _, v := range bad {
		add(s.with(names[0], v)...)
		add(s.with(names[0] + "=" + v)...)
	}
}

var (
	singleDash  = regexp.MustCompile(`^-[a-zA-Z][a-zA-Z-]`)
	shortEquals = regexp.MustCompile(`^-[a-zA-Z]=`)
	boolEquals  = regexp.MustCompile(`^--(quiet|all|force|detach|tty|no-.*|keep|ignore-paused|debug|stats)=`)
)

// forms returns parts that describe how the options are written.
func forms(words []string) []string {
	var parts []string
	for _, f := range []struct {
		name    string
		pattern *regexp.Regexp
	}{{"form:single-dash", singleDash}, {"form:short-equals", shortEquals}, {"form:bool-equals", boolEquals}} {
		if slices.ContainsFunc(words, f.pattern.MatchString) {
			parts = append(parts, f.name)
		}
	}
	return parts
}

// split splits text into words, which may be quoted.
func split(text string) ([]string, error) {
	var words []string
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		if text[0] == '\'' {
			word, rest, ok := strings.Cut(text[1:], "'")
			if !ok {
				return nil, fmt.Errorf("a quote without end: %s", text)
			}
			words, text = append(words, word), rest
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		words, text = append(words, repeat(word)), rest
	}
	return words, nil
}

var repeated = regexp.MustCompile(`^(.)\{(\d+)\}$`)

func repeat(word string) string {
	if m := repeated.FindStringSubmatch(word); m != nil {
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	}
	return word
}

// show returns a command line in the form of ./differences.
func show(words []string) string {
	shown := make([]string, len(words))
	for i, w := range words {
		switch {
		case len(w) > 60:
			w = fmt.Sprintf("%s{%d}", w[:1], len(w))
		case w == "" || strings.Contains(w, " "):
			w = "'" + w + "'"
		}
		shown[i] = w
	}
	return strings.Join(shown, " ")
}
