// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestReadWithin: a writer that never writes makes the read fail, and not the reads after it.
func TestReadWithin(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var b [1]byte
	if err := readWithin(time.Millisecond, r, b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing written: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	// The expired deadline is gone.
	if _, err := r.Read(b[:]); err != nil || b[0] != 'x' {
		t.Errorf("without a deadline: got %q, %v, want x", b, err)
	}
	if _, err := w.WriteString("y"); err != nil {
		t.Fatal(err)
	}
	if err := readWithin(time.Minute, r, b[:]); err != nil || b[0] != 'y' {
		t.Errorf("got %q, %v, want y", b, err)
	}
}
