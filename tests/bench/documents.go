// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A part of a document that is made from results stands between two comments:
// <!-- bench: time v2 --> and <!-- bench end -->. Without results for the named cgroup
// version a part stays as it is.
var part = regexp.MustCompile(`(?s)(<!-- bench: (\w+) (v[12]) -->\n).*?(<!-- bench end -->)`)

// updateDocuments puts tables into documents.
func updateDocuments(files, documents []string) error {
	all := map[string]*results{}
	for _, file := range files {
		r, err := load(file)
		if err != nil {
			return err
		}
		all[r.Cgroup] = r
	}
	for _, name := range documents {
		old, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text, err := update(string(old), all)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if text == string(old) {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// update replaces the parts of one document.
func update(text string, all map[string]*results) (string, error) {
	var failed error
	if !part.MatchString(text) {
		return "", fmt.Errorf("no part is marked as %q", "<!-- bench: time v2 -->")
	}
	text = part.ReplaceAllStringFunc(text, func(old string) string {
		m := part.FindStringSubmatch(old)
		r := all[m[3]]
		if r == nil {
			return old
		}
		made, err := r.part(m[2])
		if err != nil {
			failed = err
			return old
		}
		return m[1] + made + m[4]
	})
	return text, failed
}

// part is what stands between the comments.
func (r *results) part(name string) (string, error) {
	switch name {
	case "machine":
		text := wrap("Measured on "+r.machine()+":") + "\n"
		for _, rt := range r.Runtime {
			text += fmt.Sprintf("- %s: %s\n", rt.Name, rt.Version)
		}
		return text, nil
	case "yardsticks":
		return r.yardsticks().markdown(), nil
	case "behind":
		return r.behindText(), nil
	case "summary":
		return r.summary().markdown() + "\n" + r.behindShort(), nil
	}
	if m, ok := metricOf(name); ok {
		return r.of(m, "**").markdown(), nil
	}
	return "", fmt.Errorf("unknown part %q", name)
}

// behindText is a paragraph.
func (r *results) behindText() string {
	first := r.Runtime[0].Name
	if list := r.behind(); len(list) > 0 {
		return wrap(fmt.Sprintf("%s is slower than another in: %s.", first, strings.Join(list, "; ")))
	}
	return wrap(first + " is slower than no other in any row.")
}

// behindShort names the rows only.
func (r *results) behindShort() string {
	list := r.behind()
	if len(list) == 0 {
		return r.behindText()
	}
	for i, text := range list {
		list[i], _, _ = strings.Cut(text, " (")
	}
	list = slices.Compact(list)
	return wrap(fmt.Sprintf("%s is slower than another in %d of %d rows there: %s.", r.Runtime[0].Name, len(list),
		len(r.times(""))-1, strings.Join(list, "; ")))
}

// wrap breaks lines as our documents do.
func wrap(text string) string {
	const width = 92
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}

// times is the table of times.
func (r *results) times(mark string) table {
	m, _ := metricOf(metricTime)
	return r.of(m, mark)
}

// summary is the table of README.md: what most people ask for.
func (r *results) summary() table {
	times := r.times("**")
	t := table{append([]string{"ms, on cgroup " + r.Cgroup}, times[0][1:]...)}
	for _, name := range []string{"run", "exec", "cycle", "docker.run", "version"} {
		i := slices.IndexFunc(times, func(line []string) bool { return line[0] == title(name) })
		if i < 0 {
			continue
		}
		line := slices.Clone(times[i])
		for j := range line {
			line[j], _, _ = strings.Cut(line[j], " (") // the minimum
		}
		t = append(t, line)
	}
	for _, o := range []struct{ metric, row, title string }{
		{metricPeak, "create", "peak memory of `create`, MB"},
		{metricResident, "created", "memory of a created container, MB"},
	} {
		m, _ := metricOf(o.metric)
		memory := r.of(m, "**")
		if i := slices.IndexFunc(memory, func(line []string) bool { return line[0] == title(o.row) }); i > 0 {
			t = append(t, append([]string{o.title}, memory[i][1:]...))
		}
	}
	return t
}
