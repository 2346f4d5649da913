// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/signal"

	"github.com/berth-run/berth/libcontainer"
	"golang.org/x/sys/unix"
)

// caughtSignals are the signals that berth gets in the foreground, which are
// meant for the container.
type caughtSignals struct{ ch chan os.Signal }

// catchSignals catches every signal that can be caught and means something to
// the container.
func catchSignals(terminal bool) *caughtSignals {
	// Room for a burst: signal.Notify drops what finds no room.
	s := &caughtSignals{ch: make(chan os.Signal, 64)}
	var list []os.Signal
	for sig := unix.Signal(1); sig <= sigRTMax; sig++ {
		if forwardable(sig, terminal) && !signal.Ignored(sig) {
			list = append(list, sig)
		}
	}
	signal.Notify(s.ch, list...)
	return s
}

// forwardable says whether berth hands sig on. An ignored signal (nohup(1)) is
// not asked for either: catching it would undo that.
func forwardable(sig unix.Signal, terminal bool) bool {
	switch sig {
	case unix.SIGKILL, unix.SIGSTOP:
		return false // cannot be caught
	case unix.SIGCHLD:
		return false // is about berth's own children
	case unix.SIGURG:
		return false // is how Go's scheduler preempts
	case unix.SIGWINCH:
		return terminal // is about berth's terminal: resize
	case unix.SIGTTIN, unix.SIGTTOU:
		// With a terminal of its own berth needs their default, to stop while
		// it is in the background: caught, the tcsetattr(3) that raised
		// SIGTTOU would be restarted for ever.
		return !terminal
	}
	return true
}

// forward hands the signals on until stop is called. It is a goroutine.
func (s *caughtSignals) forward(c *libcontainer.Container, t *terminal, log *logger) {
	for caught := range s.ch {
		sig, ok := caught.(unix.Signal)
		if !ok {
			continue
		}
		var err error
		if sig == unix.SIGWINCH {
			err = t.resize()
		} else {
			err = c.Signal(sig, false)
		}
		// A container that has just exited needs no signal any more.
		if err != nil && !errors.Is(err, libcontainer.ErrNotRunning) {
			log.Warnf("forward signal %d: %v", int(sig), err)
		}
	}
}

// stop gives the signals their former meaning back and ends forward.
func (s *caughtSignals) stop() {
	signal.Stop(s.ch)
	close(s.ch)
}
