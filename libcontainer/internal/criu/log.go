// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// excerptLines is how many errors from the log are shown: criu logs a few more after the one
// that tells the cause.
const excerptLines = 4

// excerptOf returns the last errors in the log at path, on one line; "" if there are none or the
// log cannot be read.
func excerptOf(path string) string {
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

// errorsOf returns the last lines of a log that are errors,
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
		if rest = strings.TrimSpace(rest); rest != "" && !isConsequence(rest) {
			found = append(found, rest)
		}
	}
	return found[max(0, len(found)-excerptLines):]
}

// isConsequence reports whether an error only follows from another one.
func isConsequence(text string) bool {
	return strings.HasSuffix(text, "ing FAILED.") || strings.HasPrefix(text, "cg: cgroupd: recv req error")
}

// explain adds the errors in the log to the error of a task.
func explain(err error, log string) error {
	if err == nil {
		return nil
	}
	var refused *Refused
	excerpt := excerptOf(log)
	if excerpt != "" && errors.As(err, &refused) {
		// Its message is the first error in the log, which need not be the cause.
		refused.Message = excerpt
	} else if excerpt != "" {
		err = fmt.Errorf("%w: %s", err, excerpt)
	}
	return fmt.Errorf("criu failed: %w (log file: %s)", err, log)
}
