// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReapOfAStranger: the error says what was waited for.
func TestReapOfAStranger(t *testing.T) {
	if _, err := Reap(1); !errors.Is(err, unix.ECHILD) || err.Error() != "wait for process 1: no child processes" {
		t.Errorf("error %v", err)
	}
}
