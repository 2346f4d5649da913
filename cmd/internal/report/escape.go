// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The number of bytes kept at the beginning and at the end of a message. Both ends matter: the
// beginning says what was being done, and the end is the kernel's error. There is a limit
// because a message may quote a megabyte of input.
const (
	messageHead = 2048
	messageTail = 1024
)

// message makes text safe to print as one line of a log or on a terminal. Parts of it come from
// config.json, from a container or from the command line, so an attacker may have written them:
// a newline would forge a second log entry, and an escape sequence would control the reader's
// terminal.
func message(text string) string {
	if n := len(text) - messageHead - messageTail; n > 0 {
		text = text[:messageHead] + fmt.Sprintf(" [%d bytes left out] ", n) + text[len(text)-messageTail:]
	}
	return Printable(text)
}

// oneLine returns the text of err, with the lines of [errors.Join] joined into one. Line breaks
// inside quoted text are not changed here: see message.
func oneLine(err error) string {
	text := err.Error()
	if !strings.Contains(text, "\n") {
		return text
	}
	switch err := err.(type) { //nolint:errorlint // the tree of errors itself is wanted
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return strings.Replace(text, inner.Error(), oneLine(inner), 1)
		}
	case interface{ Unwrap() []error }:
		var lines, flat []string
		for _, part := range err.Unwrap() {
			lines, flat = append(lines, part.Error()), append(flat, oneLine(part))
		}
		if text == strings.Join(lines, "\n") {
			return strings.Join(flat, "; ")
		}
		for i, line := range lines {
			text = strings.Replace(text, line, flat[i], 1)
		}
	}
	return text
}

// Printable escapes, as in a Go string literal, unprintable characters and invalid UTF-8.
func Printable(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

// isPlain reports whether text is printable ASCII, as nearly all messages are.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
