// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// catchEarly begins to keep signals for what is about to run: one that comes early is not
// lost, and does not end berth and leave the program alone. It is not known yet whether
// there is a terminal.
func catchEarly() (*signals.Caught, error) { return signals.Catch(forwardable(true)...) }

// forwardable lists the signals that berth hands on.
func forwardable(terminal bool) []unix.Signal {
	list := make([]unix.Signal, 0, sigRTMax)
	for sig := unix.Signal(1); sig <= sigRTMax; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP: // cannot be caught
		case unix.SIGCHLD: // is about berth's own children
		case unix.SIGURG: // is how Go's scheduler preempts
		case 32, 33: // are the C library's
		case unix.SIGWINCH: // is about berth's terminal: resize
			if terminal {
				list = append(list, sig)
			}
		case unix.SIGTTIN, unix.SIGTTOU:
			// With a terminal of its own berth needs their default, to stop while
			// it is in the background: caught, the tcsetattr(3) that raised
			// SIGTTOU would be restarted for ever.
			if !terminal {
				list = append(list, sig)
			}
		default:
			list = append(list, sig)
		}
	}
	return list
}

// child is what berth waits for in the foreground.
type child interface {
	// Reap does not wait.
	Reap() (status int, ended bool, err error)
	Signal(sig unix.Signal) error
}

// containerChild is the container's own process.
type containerChild struct{ *libcontainer.Container }

func (c containerChild) Signal(sig unix.Signal) error { return c.Container.Signal(sig, false) }

// attend hands the signals on to c until it has ended, and returns its exit status. It
// stays on one thread: most programs are short, and a switch of threads may take as long
// as one of them.
func (a *app) attend(c child, s *signals.Caught, t *terminal.Terminal) (int, error) {
	if err := a.log.outlive(); err != nil {
		return 0, err
	}
	a.log.flush()
	if err := s.Add(append(forwardable(t.Master != nil), unix.SIGCHLD)...); err != nil {
		return 0, err
	}
	if err := t.Resize(); err != nil { // the size may have changed before
		a.log.Warnf("%v", err)
	}
	for {
		// At first as well, and after every signal: SIGCHLD may have come before, and
		// is lost when the queue is full.
		status, ended, err := c.Reap()
		if ended || err != nil {
			return status, err
		}
		sig, err := s.Next()
		if err != nil {
			return 0, err
		}
		if err := handOn(sig, c, t); err != nil {
			a.log.Warnf("forward signal %d: %v", int(sig), err)
		}
	}
}

func handOn(sig unix.Signal, c child, t *terminal.Terminal) error {
	switch sig {
	case 0, unix.SIGCHLD:
		return nil
	case unix.SIGWINCH:
		return t.Resize()
	}
	err := c.Signal(sig)
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return nil // what has just exited needs no signal any more
	}
	return err
}
