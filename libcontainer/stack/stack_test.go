// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"testing"
	"unsafe"
)

// TestGrow sees stacks grow by their moving: a local variable's address changes.
func TestGrow(t *testing.T) {
	tests := []struct {
		name  string
		grow  bool
		moves bool
	}{
		{"without", false, true},
		{"with", true, false},
	}
	for _, test := range tests {
		moved := make(chan bool)
		go func() {
			if test.grow {
				Grow()
			}
			var here byte
			before := uintptr(unsafe.Pointer(&here))
			deep(40)
			moved <- before != uintptr(unsafe.Pointer(&here))
		}()
		if got := <-moved; got != test.moves {
			t.Errorf("%s: the stack has moved: %v", test.name, got)
		}
	}
}

// deep uses a kilobyte of stack for each level.
//
//go:noinline
func deep(levels int) byte {
	var frame [1024]byte
	if levels > 0 {
		frame[levels] = deep(levels - 1)
	}
	return frame[levels/2]
}
