// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"strings"

	"github.com/sirupsen/logrus"
)

// plainFormatter writes messages for somebody who sits at a terminal: "berth: no such container",
// without the time and the level that engines and logs want.
type plainFormatter struct {
	// name is what the program was called by.
	name   string
	colour bool
}

// The colours of a terminal (ECMA-48).
const (
	red, yellow, grey = "\x1b[1;31m", "\x1b[33m", "\x1b[90m"
	noColour          = "\x1b[0m"
)

// Format implements [logrus.Formatter].
func (f *plainFormatter) Format(e *logrus.Entry) ([]byte, error) {
	colour, prefix := red, f.name+": "
	switch e.Level {
	case logrus.WarnLevel:
		colour, prefix = yellow, f.name+": warning: "
	case logrus.DebugLevel:
		colour, prefix = grey, ""
	}
	var b bytes.Buffer
	write := func(colour, text string) {
		if f.colour && text != "" {
			text = colour + text + noColour
		}
		b.WriteString(text)
	}
	if e.Level == logrus.DebugLevel {
		write(colour, e.Message)
	} else {
		write(colour, strings.TrimSuffix(prefix, " "))
		b.WriteString(" " + e.Message)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Phrase is an error with words that are only there because engines and scripts look for them, and
// not for people.
type Phrase interface {
	error
	// Phrase is the part of the error's text, with what separates it from the rest.
	Phrase() string
}

// plain returns the text of an error without the phrases in it.
func plain(err error) string {
	text := oneLine(err)
	for _, phrase := range phrases(err, nil) {
		text = strings.Replace(text, phrase, "", 1)
	}
	return text
}

func phrases(err error, all []string) []string {
	if p, ok := err.(Phrase); ok { //nolint:errorlint // this one alone
		all = append(all, p.Phrase())
	}
	switch err := err.(type) { //nolint:errorlint // the tree of errors itself is wanted
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return phrases(inner, all)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			all = phrases(inner, all)
		}
	}
	return all
}
