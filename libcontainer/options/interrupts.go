// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"sync"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// Interrupts catch the signals that end a command (SIGTERM and the like) while it makes something,
// so that it ends as after an error and leaves nothing behind. The command checks for signals
// between its steps. A second signal ends a command that is stuck in a step at once, and leaves
// what it has made. A nil *Interrupts catches nothing.
type Interrupts struct {
	caught *signals.Caught
	mu     sync.Mutex // what follows is for two goroutines while one of them watches
	came   unix.Signal
	stops  []func()
}

// KeepInterrupts catches the signals from now on. A foreground command also catches signals, to
// forward them to the container; until there is a container, they are delivered here.
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

// Release restores the previous handling of the signals. A signal that arrived too late to undo
// anything is dropped.
func (i *Interrupts) Release() error {
	if i == nil {
		return nil
	}
	return i.caught.Release()
}

// Check returns an error if a signal has arrived.
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
		return codes.With(codes.Interrupted, fmt.Errorf("interrupted by %s", unix.SignalName(i.came)))
	}
	return nil
}

// During calls do, which may take long. If a signal arrives meanwhile, it calls stop, which makes do
// return early, and returns an error that names the signal. Calls may be nested or concurrent:
// a signal stops all of them.
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

// watched calls do, the outermost one, while a goroutine waits for a signal and calls the stops.
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
		// The goroutine had ended, so nobody has taken the wake-up.
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

// forget removes the last of stops.
func (i *Interrupts) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stops = i.stops[:len(i.stops)-1]
}

// EndingSignals are the signals with which people and service managers end a command.
var EndingSignals = [...]unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}
