// SPDX-License-Identifier: Apache-2.0

// Package stack spares goroutines the growing of their stacks. Go begins with 2 to 8 KiB
// and doubles them whenever they are full, and each time it looks up every function that
// is running: pages of tables that nothing else needs, a tenth of a short command's time.
package stack

// Grow makes the calling goroutine's stack large enough for any command, 64 KiB. It is
// best called first of all, when there is little on the stack. Only what is used later
// takes memory.
func Grow() { grow() }

func grow()
