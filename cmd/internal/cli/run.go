// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/foreground"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

// runOptions are the options of run.
type runOptions struct {
	bundleOptions
	detach      bool
	keep        bool
	noSubreaper bool
}

func (a *app) runCommand() *command.Command {
	var o runOptions
	c := &command.Command{
		Use:   "run [flags] CONTAINER",
		Short: "create and start a container",
		Long: `Creates and starts the container of a bundle, waits for it and deletes it. The
exit status is that of the container's program, or 128+n if signal n killed it.`,
		Example: `In a directory with a config.json, which berth spec writes:
  berth run box
In the background, with 64 MiB of memory (spec) and a pid file:
  berth run --detach --pid-file box.pid box`,
		Args:     a.arguments(1, 1),
		Complete: command.CompleteNothing,
		Run: func(args []string) (err error) {
			if !o.detach {
				a.exitStatus, err = a.runForeground(args[0], &o)
				return err
			}
			p, err := a.prepareNew(&o.bundleOptions, true)
			if err != nil {
				return err
			}
			if _, err = a.createAndStart(args[0], p, false); err == nil {
				a.awaitReady(p.notifier)
			}
			return errors.Join(err, p.notifier.Close())
		},
	}
	f := c.Flags()
	o.declare(f)
	f.BoolVarP(&o.detach, "detach", "d", false, "return as soon as the program has started")
	f.BoolVar(&o.keep, "keep", false, "do not delete the container after it has exited")
	f.BoolVar(&o.noSubreaper, "no-subreaper", false, "do not reap the container's orphaned processes")
	return c
}

// createAndStart leaves nothing behind if it fails or is interrupted. In the foreground,
// signals are meant for the container once it is started.
func (a *app) createAndStart(id string, p *preparation, foreground bool) (c *libcontainer.Container, err error) {
	err = p.interruptible(func() error {
		if c, err = a.createContainer(id, p); err != nil {
			return err
		}
		if err = p.create.Interrupts.Check(); err == nil {
			err = c.Start(a.log, p.notifier)
		}
		if err == nil && !foreground {
			err = p.create.Interrupts.Check()
		}
		if err != nil {
			err = errors.Join(err, c.Delete(a.log))
		}
		return err
	})
	return c, err
}

// runForeground waits until the container's program has exited.
func (a *app) runForeground(id string, o *runOptions) (int, error) {
	caught, err := foreground.Catch()
	if err != nil {
		return exitFailure, err
	}
	p, err := a.prepareNew(&o.bundleOptions, false)
	if err != nil {
		return exitFailure, err
	}
	if !o.noSubreaper {
		if err := libcontainer.BecomeSubreaper(); err != nil {
			return exitFailure, err
		}
	}
	t := &terminal.Terminal{Stdin: a.stdin, Stdout: a.stdout}
	defer t.Restore()
	if p.config.Process.Terminal {
		if p.create.Console, err = t.Console(a.stderr); err != nil {
			return exitFailure, err
		}
	}
	c, err := a.createAndStart(id, p, true)
	if err != nil {
		return exitFailure, err
	}
	notified := a.notifyMeanwhile(p.notifier)
	status, err := a.serve(c, t, caught, o.keep)
	<-notified
	return status, err
}

// serve forwards signals and terminal data to a container in the foreground until its first
// process has exited. Then it deletes the container, unless keep is set, and returns the exit
// status.
func (a *app) serve(c *libcontainer.Container, t *terminal.Terminal, caught *signals.Caught, keep bool) (int, error) {
	t.Run()
	span := a.beginPhase(phaseWait)
	status, err := foreground.Attend(containerChild{c}, caught, t, a.log)
	_ = span.End(err)
	err = errors.Join(err, t.Drain())
	if !keep {
		// Delete kills what is left: processes may outlive their init if the container shares
		// the host's pid namespace.
		err = errors.Join(err, c.Delete(a.log))
	}
	return status, err
}

// phaseWait is the phase in which a program runs in the foreground.
const phaseWait = "wait for the program"

// containerChild is the container's first process.
type containerChild struct{ *libcontainer.Container }

func (c containerChild) Signal(sig unix.Signal) error { return c.Container.Signal(sig, false) }
