// SPDX-License-Identifier: Apache-2.0

// Package foreground waits for a program of a container, and forwards the signals that berth gets to
// it.
package foreground

import (
	"errors"

	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/cmd/internal/signame"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// Catch catches signals before the program runs, to forward them to it later. An early
// signal must not get lost, or end berth while the program goes on. It is not known yet whether
// there is a terminal.
func Catch() (*signals.Caught, error) { return signals.Catch(forwardable(true)...) }

// forwardable lists the signals that berth forwards.
func forwardable(terminal bool) []unix.Signal {
	list := make([]unix.Signal, 0, signame.Max)
	for sig := unix.Signal(1); sig <= signame.Max; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP: // cannot be caught
		case unix.SIGCHLD: // reports berth's own children
		case unix.SIGURG: // is used by Go's scheduler for preemption
		case 32, 33: // belong to the C library
		case unix.SIGWINCH: // is about berth's terminal: see Resize
			if terminal {
				list = append(list, sig)
			}
		case unix.SIGTTIN, unix.SIGTTOU:
			// With a terminal, berth needs the default action of these signals, to stop while
			// it is in the background: if SIGTTOU were caught, the tcsetattr(3) that raised it
			// would be restarted forever.
			if !terminal {
				list = append(list, sig)
			}
		default:
			list = append(list, sig)
		}
	}
	return list
}

// Child is the process that berth waits for in the foreground.
type Child interface {
	// Reap does not wait.
	Reap() (status int, ended bool, err error)
	Signal(sig unix.Signal) error
}

// Attend forwards signals to c until it has ended, and returns its exit status. It stays on one
// thread: most programs run only briefly, and switching threads may take as long as the
// program.
func Attend(c Child, s *signals.Caught, t *terminal.Terminal, log *report.Logger) (int, error) {
	if err := log.Outlive(); err != nil {
		return 0, err
	}
	log.Flush()
	if err := s.Add(append(forwardable(t.Master != nil), unix.SIGCHLD)...); err != nil {
		return 0, err
	}
	if err := t.Resize(); err != nil { // the size may have changed before SIGWINCH was caught
		log.Warnf("%v", err)
	}
	for {
		// Also at the beginning, and after every signal: SIGCHLD may have come earlier, and is
		// lost if the queue is full.
		status, ended, err := c.Reap()
		if ended || err != nil {
			return status, err
		}
		sig, err := s.Next()
		if err != nil {
			return 0, err
		}
		if err := forward(sig, c, t); err != nil {
			log.Warnf("forward signal %d: %v", int(sig), err)
		}
	}
}

func forward(sig unix.Signal, c Child, t *terminal.Terminal) error {
	switch sig {
	case 0, unix.SIGCHLD:
		return nil
	case unix.SIGWINCH:
		return t.Resize()
	}
	err := c.Signal(sig)
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return nil // it has just exited
	}
	return err
}
