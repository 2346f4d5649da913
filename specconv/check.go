// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Problem is one mistake in a config.json.
type Problem struct {
	// Line and Column are where the field is, or what contains it, counted from one and in characters;
	// 0 if the document says nothing about it.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Severity is "error" for what create refuses, otherwise "warning".
	Severity string `json:"severity"`
	// Field is the name as in create's errors: "mounts[3].options[1]"; "" for the document itself.
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
	// Suggestion is what to write instead, or "".
	Suggestion string `json:"suggestion,omitempty"`
}

// The severities.
const (
	Error   = "error"
	Warning = "warning"
)

// Checked is all that Check has found out.
type Checked struct {
	// Spec is nil if the document is not JSON. Plan is nil if something in it is an error.
	Spec *specs.Spec
	Plan *configs.Config
	// Rough is the plan as far as it could be made, for further checks; nil without Spec.
	Rough    *configs.Config
	Problems []Problem

	document string
	// wrong are the fields that have errors.
	wrong []string
}

// ReadBundle reads the config.json of a bundle, or file if that is not "", for Check.
func ReadBundle(bundle, file string) (string, error) {
	if file == "" {
		return readConfig(filepath.Join(bundle, configFile))
	}
	return document.Read(file, document.WaitForWriter)
}

// Check converts a document as Convert does, but goes on after an error: it finds all mistakes.
// [Options.Warn] is not used.
func Check(document string, o *Options) *Checked {
	ch := &Checked{document: document}
	spec, faults, notices, err := ocispec.SpecWithFaults(document)
	for _, f := range faults {
		line, column := f.Position(document)
		ch.addAt(line, column, Error, f.Path, f.Text)
	}
	for _, n := range notices {
		ch.addAt(n.Line, n.Column, Warning, "", n.Text)
	}
	if err != nil {
		ch.addSyntax(err)
		return ch
	}
	ch.Spec = spec
	options := *o
	options.Warn = func(format string, args ...any) { ch.Add(Warning, fmt.Sprintf(format, args...)) }
	c := newConversion(spec, &options, unix.Geteuid())
	for i := range steps {
		for _, err := range fault.All(steps[i].of(c)) {
			field, reason := fault.Split(err)
			ch.add(Error, field, reason.Error())
		}
	}
	if ch.Rough = c.plan; !ch.Failed() {
		ch.Plan = c.plan
	}
	return ch
}

// Failed reports whether there is an error.
func (ch *Checked) Failed() bool {
	return slices.ContainsFunc(ch.Problems, func(p Problem) bool { return p.Severity == Error })
}

// HasErrorIn reports whether there is an error in one of the fields, or in a part of one.
func (ch *Checked) HasErrorIn(fields ...string) bool {
	return slices.ContainsFunc(ch.Problems, func(p Problem) bool {
		return p.Severity == Error && slices.ContainsFunc(fields, func(f string) bool { return p.Field == f || isBelow(p.Field, f) })
	})
}

// Sort sorts the problems by their place. Those without one come last.
func (ch *Checked) Sort() {
	slices.SortStableFunc(ch.Problems, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Add adds a problem that a lower layer has found, with the field in front of the reason:
// "linux.seccomp.flags[0]: seccomp flag x is not known".
func (ch *Checked) Add(severity, text string) {
	field, reason, ok := strings.Cut(text, ": ")
	if !ok || strings.ContainsAny(strings.TrimSuffix(field, "]"), " /") && !strings.Contains(field, `["`) {
		field, reason = "", text
	}
	ch.add(severity, field, reason)
}

// add adds a problem of a field, unless it follows from one that is known: what has a wrong type is
// also empty.
func (ch *Checked) add(severity, field, reason string) {
	if slices.ContainsFunc(ch.Problems, func(p Problem) bool { return p.Field == field && strings.HasPrefix(p.Reason, reason) }) {
		return // two layers have said so
	}
	for _, wrong := range ch.wrong {
		if field == wrong || isBelow(field, wrong) {
			return
		}
	}
	line, column := 0, 0
	if field != "" {
		line, column, _ = codec.Locate(ch.document, field)
	}
	ch.append(Problem{Line: line, Column: column, Severity: severity, Field: field, Reason: reason})
}

// isBelow reports whether a field is part of another.
func isBelow(field, of string) bool {
	rest, ok := strings.CutPrefix(field, of)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// addAt adds a problem of the document. If it is an error, those of its field follow from it.
func (ch *Checked) addAt(line, column int, severity, field, reason string) {
	if severity == Error {
		ch.wrong = append(ch.wrong, field)
	}
	ch.append(Problem{Line: line, Column: column, Severity: severity, Field: field, Reason: reason})
}

func (ch *Checked) append(p Problem) {
	if before, hint, ok := strings.Cut(p.Reason, " (did you mean "); ok {
		if word, after, ok := strings.Cut(hint, "?)"); ok {
			p.Reason, p.Suggestion = before+after, word
		}
	}
	if p.Suggestion == "" {
		p.Suggestion = suggest(p.Field, p.Reason)
	}
	ch.Problems = append(ch.Problems, p)
}

// addSyntax adds the error of a document that is not JSON, which begins with its place.
func (ch *Checked) addSyntax(err error) {
	p := Problem{Severity: Error, Reason: err.Error()}
	if n, _ := fmt.Sscanf(p.Reason, "line %d, column %d:", &p.Line, &p.Column); n == 2 {
		_, p.Reason, _ = strings.Cut(p.Reason, ": ")
	}
	var f *codec.Fault
	if errors.As(err, &f) {
		p.Field, p.Reason = f.Path, f.Text
	}
	ch.Problems = append(ch.Problems, p)
}
