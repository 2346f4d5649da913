// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
)

// handOver gives the caller what it asked for: pty, pidfd, pid file. The pid file comes
// last, since its presence tells that the rest is done.
func (cr *creation) handOver() error {
	if err := handOverConsole(&cr.built.master, cr.built.ptyName, cr.console, cr.opts.Console); err != nil {
		return err
	}
	for _, r := range cr.pidfdTo {
		if err := r.send(cr.init.PIDFD, "pidfd"); err != nil {
			return err
		}
	}
	_, err := writePIDFile(cr.opts.PIDFile, cr.init.PID)
	return err
}

// handOverTerminal gives the caller the pty, before the program runs: whatever fails
// here or in born, nothing of the program has been seen by anybody.
func (x *execution) handOverTerminal() error {
	if x.master == nil {
		return nil
	}
	return handOverConsole(&x.master, x.peer.Name(), x.console, x.opts.Console)
}

// hasBirth says whether born has anything to do. Init need not wait for it otherwise.
func (x *execution) hasBirth() bool {
	return x.opts.PIDFile != "" || x.pidfdTo != nil || x.joinsPID() && !inheritsScheduler(x.p.Scheduler)
}

// born does what only the process that will run the program can be had for.
func (x *execution) born() error {
	if x.joinsPID() && !inheritsScheduler(x.p.Scheduler) {
		if err := setScheduler(x.init.PID, x.p.Scheduler); err != nil {
			return err
		}
	}
	if err := x.pidfdTo.send(x.init.PIDFD, "pidfd"); err != nil {
		return err
	}
	remove, err := writePIDFile(x.opts.PIDFile, x.init.PID)
	if err != nil {
		return err
	}
	x.undo.Push("remove the pid file", remove)
	return nil
}

// handOverConsole gives the pty's master, if there is one, to whoever is to have it: the
// receiver, with the name of the pty, or the function, whose it is from then on.
func handOverConsole(master **os.File, name string, to *receiver, console func(*os.File) error) error {
	switch {
	case *master == nil:
		return nil
	case to != nil:
		return to.send(*master, name)
	case console != nil:
		theirs := *master
		*master = nil
		return console(theirs)
	}
	return errors.New("process.terminal: cannot allocate tty if berth will detach without setting console socket")
}
