// SPDX-License-Identifier: Apache-2.0

// Package steps is how a command does its work: one named step after the other, and when one
// fails, the undoing of what those before it have done.
package steps

import "fmt"

// Undo collects what must be undone when a sequence fails half-way.
type Undo []undoStep

type undoStep struct {
	what string
	do   func() error
}

// Push adds a step; what names it in errors ("remove the cgroup").
func (u *Undo) Push(what string, do func() error) {
	*u = append(*u, undoStep{what, do})
}

// Run undoes everything, last step first, and adds what went wrong to cause, on the
// same line: engines show one line.
func (u *Undo) Run(cause error) error {
	for i := len(*u) - 1; i >= 0; i-- {
		step := (*u)[i]
		if err := step.do(); err != nil {
			cause = fmt.Errorf("%w (then, %s: %w)", cause, step.what, err)
		}
	}
	*u = nil
	return cause
}

// Step is one step of a command. It has no name of its own, so that a table of steps need
// not name its fields.
type Step = struct {
	What string
	Do   func() error
}

// Run does one step after the other, until one fails. It calls before with the name of each
// step first, whose error is a failure as well.
func Run(list []Step, before func(what string) error) error {
	for _, s := range list {
		if err := before(s.What); err != nil {
			return err
		}
		if err := s.Do(); err != nil {
			return err
		}
	}
	return nil
}
