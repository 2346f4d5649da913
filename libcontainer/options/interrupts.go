// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"sync"

	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// Interrupts are the signals that end a command (SIGTERM and its like), kept while it makes
// something: it ends then as it does with an error, and leaves nothing. They are looked for
// between steps, so a second signal ends a command that is stuck in one, at once and with
// all that it has made. A nil one keeps nothing.
type Interrupts struct {
	caught *signals.Caught
	mu     sync.Mutex // what follows is for two goroutines while one of them watches
	came   unix.Signal
	stops  []func()
}

// KeepInterrupts keeps them from now on. Those that a foreground keeps already, to hand them
// on to what it runs, come here before there is anything to hand them on to.
func KeepInterrupts() (*Interrupts, error) {
	if !signals.Supported() {
		return nil, nil
	}
	caught, err := signals.CatchOnce(EndingSignals[:]...)
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
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.came == 0 && len(i.stops) == 0 { // or somebody watches
		var err error
		if i.came, err = i.caught.Pending(EndingSignals[:]...); err != nil {
			return err
		}
	}
	if i.came != 0 {
		return fmt.Errorf("interrupted by %s", unix.SignalName(i.came))
	}
	return nil
}

// During does what may take long. A signal that comes meanwhile has stop called, which makes
// do return early; what do returns then counts for less. While it does so, others may be done
// in the same way: all are stopped.
func (i *Interrupts) During(do func() error, stop func()) error {
	if i == nil {
		return do()
	}
	i.mu.Lock()
	i.stops = append(i.stops, stop)
	outermost, came := len(i.stops) == 1, i.came != 0
	i.mu.Unlock()
	switch {
	case !came && outermost:
		return i.watched(do)
	case came && !outermost: // what it is a part of has been stopped
		stop()
	} // and what undoes is not to be stopped
	err := do()
	i.forget()
	return err
}

// watched does what is the first of stops, with somebody to call them.
func (i *Interrupts) watched(do func() error) error {
	watched := make(chan error, 1)
	go func() {
		sig, err := i.caught.Await(EndingSignals[:]...)
		if sig != 0 {
			i.stopAll(sig)
		}
		watched <- err
	}()
	err := do()
	werr := i.caught.Wake()
	if werr == nil {
		werr = <-watched
	}
	i.forget()
	if werr == nil && i.came != 0 {
		// Nobody has taken the wake-up call.
		_, werr = i.caught.Pending(0)
	}
	if werr != nil {
		return werr
	}
	if i.came != 0 {
		return i.Check()
	}
	return err
}

func (i *Interrupts) stopAll(sig unix.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.came = sig
	for _, stop := range i.stops {
		stop()
	}
}

// forget takes the last of stops away.
func (i *Interrupts) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stops = i.stops[:len(i.stops)-1]
}

// EndingSignals are those that people and service managers end a command with.
var EndingSignals = [...]unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}
