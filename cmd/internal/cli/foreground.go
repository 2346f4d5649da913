// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"os/signal"

	"github.com/berth-run/berth/libcontainer"
	"golang.org/x/sys/unix"
)

// caughtSignals are the signals that berth gets in the foreground, which are
// meant for the container.
type caughtSignals struct {
	ch chan os.Signal
	// ready is closed once the usual ones are caught.
	ready chan struct{}
}

// catchUsual begins to catch the signals that people and service managers send.
// Asking for one costs four switches of threads: so they are few before the
// start, and asked for while something else goes on. await waits for that.
func catchUsual() *caughtSignals {
	// Room for a burst: signal.Notify drops what finds no room.
	s := &caughtSignals{ch: make(chan os.Signal, 64), ready: make(chan struct{})}
	go func() {
		s.catch(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
		close(s.ready)
	}()
	return s
}

// await returns when the usual signals are caught.
func (s *caughtSignals) await() { <-s.ready }

// catchAll catches every signal that can be caught and means something to the
// container.
func (s *caughtSignals) catchAll(terminal bool) {
	for sig := unix.Signal(1); sig <= sigRTMax; sig++ {
		if forwardable(sig, terminal) {
			s.catch(sig)
		}
	}
}

// catch asks for signals, but for those that are ignored (nohup(1)): catching
// them would undo that.
func (s *caughtSignals) catch(list ...unix.Signal) {
	for _, sig := range list {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
}

// forwardable says whether berth hands sig on.
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

// forward hands the signals on, by send. It is a goroutine that ends with the process: to
// give the signals back would cost as much again as to catch them.
func (s *caughtSignals) forward(send func(unix.Signal) error, t *terminal, log *logger) {
	// Here and not before the start: the program already runs meanwhile.
	s.catchAll(t.master != nil)
	if err := t.resize(); err != nil { // the size may have changed before
		log.Warnf("%v", err)
	}
	for caught := range s.ch {
		sig, ok := caught.(unix.Signal)
		if !ok {
			continue
		}
		var err error
		if sig == unix.SIGWINCH {
			err = t.resize()
		} else {
			err = send(sig)
		}
		// What has just exited needs no signal any more.
		if err != nil && !errors.Is(err, libcontainer.ErrNotRunning) {
			log.Warnf("forward signal %d: %v", int(sig), err)
		}
	}
}

// signalContainer is how signals reach the container's own process.
func signalContainer(c *libcontainer.Container) func(unix.Signal) error {
	return func(sig unix.Signal) error { return c.Signal(sig, false) }
}
