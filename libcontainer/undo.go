// SPDX-License-Identifier: Apache-2.0

package libcontainer

import "fmt"

// undoStack collects what must be undone when a sequence fails half-way.
type undoStack []undoStep

type undoStep struct {
	what string
	do   func() error
}

// push adds a step; what names it in errors ("remove the cgroup").
func (u *undoStack) push(what string, do func() error) {
	*u = append(*u, undoStep{what, do})
}

// run undoes everything, last step first, and adds what went wrong to cause, on the
// same line: engines show one line.
func (u *undoStack) run(cause error) error {
	for i := len(*u) - 1; i >= 0; i-- {
		step := (*u)[i]
		if err := step.do(); err != nil {
			cause = fmt.Errorf("%w (then, %s: %w)", cause, step.what, err)
		}
	}
	*u = nil
	return cause
}
