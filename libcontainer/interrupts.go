// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// Interrupts are the signals that end a command (SIGTERM and its like), kept while it makes
// something: it ends then as it does with an error, and leaves nothing. They are looked for
// between steps, so a second signal ends a command that is stuck in one, at once and with
// all that it has made. A nil one keeps nothing.
type Interrupts struct {
	caught *signals.Caught
	came   unix.Signal
}

// KeepInterrupts keeps them from now on. Those that a foreground keeps already, to hand them
// on to what it runs, come here before there is anything to hand them on to.
func KeepInterrupts() (*Interrupts, error) {
	if !signals.Supported() {
		return nil, nil
	}
	caught, err := signals.CatchOnce(endingSignals[:]...)
	if err != nil {
		return nil, err
	}
	return &Interrupts{caught: caught}, nil
}

// Release lets signals do again what they did. One that has come too late for anything to
// be undone is forgotten.
func (i *Interrupts) Release() error {
	if i == nil {
		return nil
	}
	return i.caught.Release()
}

// Check is an error when a signal has come.
func (i *Interrupts) Check() error {
	if i == nil {
		return nil
	}
	if i.came == 0 {
		var err error
		if i.came, err = i.caught.Pending(endingSignals[:]...); err != nil {
			return err
		}
	}
	if i.came != 0 {
		return fmt.Errorf("interrupted by %s", unix.SignalName(i.came))
	}
	return nil
}

// during does what may take long. A signal that comes meanwhile has stop called, which makes
// do return early; what do returns then counts for less.
func (i *Interrupts) during(do func() error, stop func()) error {
	if i == nil || i.came != 0 { // what undoes is not to be stopped as well
		return do()
	}
	watched := make(chan error, 1)
	go func() {
		sig, err := i.caught.Await(endingSignals[:]...)
		if i.came = sig; sig != 0 {
			stop()
		}
		watched <- err
	}()
	err := do()
	werr := i.caught.Wake()
	if werr == nil {
		werr = <-watched
	}
	if werr == nil && i.came == 0 {
		return err
	}
	if werr != nil {
		return werr
	}
	// The wake-up call has not been taken.
	if _, err := i.caught.Pending(0); err != nil {
		return err
	}
	return i.Check()
}
