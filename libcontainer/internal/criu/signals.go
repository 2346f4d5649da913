// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/signals"
)

// HoldSignals prevents the signals that end a command from ending it while criu works on the
// container, which takes only a moment: neither a program nor the freezer may be left half-way.
// If criu waits for another process, which may take forever, a signal ends criu instead. The
// function that it returns restores the signals.
func (r *Run) HoldSignals(waits bool) (stop func() error, err error) {
	caught, err := signals.Catch(options.EndingSignals[:]...)
	if err != nil {
		return nil, err
	}
	if !waits {
		return caught.Release, nil
	}
	started := make(chan *os.Process, 1)
	r.Task.Started = func(criu *os.Process) error {
		started <- criu
		return nil
	}
	done := make(chan struct{})
	go func() {
		if sig, err := caught.Await(options.EndingSignals[:]...); sig == 0 || err != nil {
			return
		}
		select {
		case process := <-started:
			_ = process.Kill() // or it has already exited
		case <-done:
		}
	}()
	return func() error {
		close(done)
		return errors.Join(caught.Wake(), caught.Release())
	}, nil
}
