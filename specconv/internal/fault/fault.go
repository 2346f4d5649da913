// SPDX-License-Identifier: Apache-2.0

// Package fault makes the errors of a document, which name the field.
package fault

import (
	"fmt"
	"strings"
)

// fieldError is an error in one field of the document. The path is put together
// while the error travels up, so that a correct document pays nothing for it.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// New is an error of the field, which is named relative to what the caller of
// the function knows by name: "path", "options[2]".
func New(field, format string, args ...any) error {
	return &fieldError{field, fmt.Errorf(format, args...)}
}

// In puts the name of what contains a field in front of an error: in(err, "process")
// makes "process.cwd" of "cwd". Nil stays nil.
func In(err error, parent string) error {
	if err == nil {
		return nil
	}
	if f, ok := err.(*fieldError); ok { //nolint:errorlint // only the outermost error has a path to put more in front of
		if !strings.HasPrefix(f.path, "[") {
			parent += "."
		}
		return &fieldError{parent + f.path, f.err}
	}
	return &fieldError{parent, err}
}

// At is in for an element of a list.
func At(err error, list string, i int) error {
	if err == nil {
		return nil
	}
	return In(err, Element(list, i))
}

// Element is the name of a list's element: "mounts[3]".
func Element(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// NoNUL refuses what cannot be passed to the kernel: it would end the string at
// the NUL, and so do something else than what the document says.
func NoNUL(field, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return New(field, "must not contain a NUL byte: %q", value)
	}
	return nil
}

// NoNULs is NoNUL for each of a list.
func NoNULs(list string, values []string) error {
	for i, v := range values {
		if strings.IndexByte(v, 0) >= 0 {
			return NoNUL(Element(list, i), v)
		}
	}
	return nil
}
