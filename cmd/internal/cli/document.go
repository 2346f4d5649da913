// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
)

// maxDocument is much larger than any real list of limits or mounts.
const maxDocument = 1 << 20

// readDocument reads the file at path, or the standard input if path is "-".
func (a *app) readDocument(path string) (string, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	document, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return "", err
	}
	if len(document) > maxDocument {
		return "", fmt.Errorf("%s: more than %d MiB", documentName(path), maxDocument>>20)
	}
	return string(document), nil
}

// documentName returns the file's name for error messages.
func documentName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}
