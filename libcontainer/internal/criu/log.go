// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// excerptLines is how many of a log's errors are told: criu goes on for a few lines
// after the one that says what is wrong.
const excerptLines = 4

// Excerpt is what the log at path ends with in errors, on one line; "" when it has none
// or cannot be read.
func Excerpt(path string) string {
	text, err := tail(path)
	if err != nil {
		return ""
	}
	return strings.Join(errorsOf(text), "; ")
}

// tail reads the end of the file at path.
func tail(path string) (string, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	buf := make([]byte, min(size, most))
	if _, err := f.ReadAt(buf, size-int64(len(buf))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(buf), nil
}

// errorsOf picks the last lines of a log that are errors,
//
//	(00.044430) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/x
//
// without the time and the place in criu's source.
func errorsOf(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(line, "Error (")
		if !ok {
			continue
		}
		if _, after, ok := strings.Cut(rest, "): "); ok {
			rest = after
		}
		if rest = strings.TrimSpace(rest); rest != "" && !saysNothing(rest) {
			found = append(found, rest)
		}
	}
	return found[max(0, len(found)-excerptLines):]
}

// saysNothing knows the errors that follow from any other.
func saysNothing(text string) bool {
	return strings.HasSuffix(text, "ing FAILED.") || strings.HasPrefix(text, "cg: cgroupd: recv req error")
}

// Explain adds to the error of a task what its log says.
func Explain(err error, log string) error {
	if err == nil {
		return nil
	}
	var refused *Refused
	excerpt := Excerpt(log)
	if excerpt != "" && errors.As(err, &refused) {
		// Its message is the first error of the log, which need not be the one.
		refused.Message = excerpt
	} else if excerpt != "" {
		err = fmt.Errorf("%w: %s", err, excerpt)
	}
	return fmt.Errorf("criu failed: %w (log file: %s)", err, log)
}
