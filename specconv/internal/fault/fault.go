// SPDX-License-Identifier: Apache-2.0

// Package fault has errors about a document, which name the field.
package fault

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/codes"
)

// fieldError is an error in one field of the document. The path is put together while the error
// is returned, so that it costs nothing for a correct document.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// Code returns the kind of error.
func (*fieldError) Code() codes.Code { return codes.ConfigInvalid }

// New returns an error about a field. The name is relative to the part of the document that the
// caller checks: "path", "options[2]".
func New(field, format string, args ...any) error {
	return &fieldError{field, fmt.Errorf(format, args...)}
}

// In adds the name of the containing object to an error: In(err, "process") changes "cwd" to
// "process.cwd". It returns nil for nil.
func In(err error, parent string) error {
	if err == nil {
		return nil
	}
	if l, ok := err.(*several); ok { //nolint:errorlint // only the outermost error is a list
		for i, e := range *l {
			(*l)[i] = In(e, parent)
		}
		return l
	}
	if f, ok := err.(*fieldError); ok { //nolint:errorlint // only the outermost error has the path
		if !strings.HasPrefix(f.path, "[") {
			parent += "."
		}
		return &fieldError{parent + f.path, f.err}
	}
	return &fieldError{parent, err}
}

// At is In for an element of a list.
func At(err error, list string, i int) error {
	if err == nil {
		return nil
	}
	return In(err, Element(list, i))
}

// Element returns the name of a list's element: "mounts[3]".
func Element(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// NoNUL refuses a NUL byte in a string. The kernel would end the string there, and so do
// something else than the document says.
func NoNUL(field, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return New(field, "must not contain a NUL byte: %q", value)
	}
	return nil
}

// NoNULs calls NoNUL for each element of a list.
func NoNULs(list string, values []string) error {
	var errs List
	for i, v := range values {
		if strings.IndexByte(v, 0) >= 0 {
			errs.Add(NoNUL(Element(list, i), v))
		}
	}
	return errs.Err()
}
