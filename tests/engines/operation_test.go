// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// T is to an operation what testing.T is to a test. But a failure is first compared with those
// that are known.
type T struct {
	name     string
	failed   bool
	skipped  string
	lines    []string
	cleanups []func()
}

// Helper is for those who also accept a testing.T.
func (*T) Helper() {}

// Logf notes what is shown if the operation fails.
func (t *T) Logf(format string, args ...any) { t.lines = append(t.lines, fmt.Sprintf(format, args...)) }

// Errorf notes a failure.
func (t *T) Errorf(format string, args ...any) {
	t.Logf(format, args...)
	t.failed = true
}

// Fatalf notes a failure and ends the operation.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf ends the operation, because something is missing.
func (t *T) Skipf(format string, args ...any) {
	t.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// Cleanup calls f when the operation has ended; the last first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// perform runs f on a goroutine that it may end.
func (t *T) perform(f func(t *T)) {
	do := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	do(func() { f(t) })
	for len(t.cleanups) > 0 {
		last := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		do(last)
	}
}

// operation runs one operation of an engine as a subtest, which a smoke test leaves out.
func operation(t *testing.T, name string, f func(t *T)) {
	t.Helper()
	if !suite.smoke {
		smoke(t, name, f)
	}
}

// smoke runs one operation of an engine as a subtest, and notes its result.
func smoke(t *testing.T, name string, f func(t *T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		began := time.Now()
		op := &T{name: t.Name()}
		op.perform(f)
		result, text := op.judge()
		suite.results = append(suite.results, outcome{
			Room: suite.room, Place: suite.place, Runtime: os.Getenv("NAME"), Test: op.name,
			Result: result, Text: text, Seconds: time.Since(began).Seconds(),
		})
		switch result {
		case passed:
		case skipped, known:
			t.Skip(text)
		default:
			t.Error(text)
		}
	})
}

// judge says what the result of an operation is, and why.
func (t *T) judge() (result, text string) {
	row := match(suite.known, t.name)
	text = strings.Join(t.lines, "\n")
	switch {
	case t.skipped != "":
		if suite.strict && match(suite.skips, t.name) == nil {
			return failed, "skipped, which is not in ./skips: " + t.skipped
		}
		return skipped, t.skipped
	case t.failed && row != nil:
		return known, row.reason
	case t.failed:
		return failed, text
	case row != nil:
		return failed, "it passes, but is in ./known: " + row.reason
	}
	return passed, ""
}

// until waits for an event, which is when f returns no error.
func (t *T) until(what string, f func() error) {
	t.Helper()
	if err := wait(f); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wait calls f until it returns no error, or for suite.limit.
func wait(f func() error) error {
	for end := time.Now().Add(suite.limit); ; {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// equal compares lines without the space around them.
func (t *T) equal(what, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// contains looks for each part in text.
func (t *T) contains(what, text string, parts ...string) {
	t.Helper()
	if i := slices.IndexFunc(parts, func(part string) bool { return !strings.Contains(text, part) }); i >= 0 {
		t.Fatalf("%s: no %q in %q", what, parts[i], text)
	}
}
