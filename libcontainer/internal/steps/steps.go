// SPDX-License-Identifier: Apache-2.0

// Package steps runs a command as a list of named steps, and undoes the work of the earlier steps
// if one fails.
package steps

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/trace"
)

// Undo collects what has to be undone if a later step fails.
type Undo []undoStep

type undoStep struct {
	what string
	do   func() error
}

// Push adds a function that undoes something. what names it in errors ("remove the cgroup").
func (u *Undo) Push(what string, do func() error) {
	*u = append(*u, undoStep{what, do})
}

// Run calls the functions, the last one first, and returns cause with their errors added on the same
// line, because engines show one line.
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

// Step is one step of a command. It is an alias of an unnamed type, so that tables of steps need not
// name the fields.
type Step = struct {
	What string
	Do   func() error
}

// Run runs one step after the other until one fails. Before each step it calls before with the name
// of the step; an error of before is a failure as well. Each step is a phase of the runtime in t.
func Run(list []Step, t *trace.Trace, before func(what string) error) error {
	for _, s := range list {
		span := t.Begin(trace.Runtime, s.What)
		err := before(s.What)
		if err == nil {
			err = s.Do()
		}
		if span.End(err) != nil {
			return err
		}
	}
	return nil
}
