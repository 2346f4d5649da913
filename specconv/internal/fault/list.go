// SPDX-License-Identifier: Apache-2.0

package fault

// List collects the errors of parts that do not depend on each other, in the order of the document.
// The zero List is empty.
type List struct{ all []error }

// Add adds an error. nil is none.
func (l *List) Add(err error) {
	if err == nil {
		return
	}
	if s, ok := err.(*several); ok { //nolint:errorlint // only the outermost error is a list
		l.all = append(l.all, *s...)
		return
	}
	l.all = append(l.all, err)
}

// Failed reports whether there is an error in the list.
func (l *List) Failed() bool { return len(l.all) > 0 }

// Err returns nil for an empty list. Of several errors, the text has only the first: whoever wants
// to hear of one error gets one. All has the others.
func (l *List) Err() error {
	switch len(l.all) {
	case 0:
		return nil
	case 1:
		return l.all[0]
	}
	s := several(l.all)
	return &s
}

// several are at least two errors.
type several []error

func (s *several) Error() string { return (*s)[0].Error() }
func (s *several) Unwrap() error { return (*s)[0] }

// All returns the errors that Err has put together.
func All(err error) []error {
	var l List
	l.Add(err)
	return l.all
}

// Split returns the field of an error, which is "" if the error is not about one, and the rest.
func Split(err error) (field string, reason error) {
	if f, ok := err.(*fieldError); ok { //nolint:errorlint // only the outermost error has the path
		return f.path, f.err
	}
	return "", err
}
