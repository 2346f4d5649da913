// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime/debug"

	"github.com/berth-run/berth/libcontainer"
)

// runOptions are the options of run.
type runOptions struct {
	bundleOptions
	detach      bool
	keep        bool
	noSubreaper bool
}

func runCommand() *command {
	var o runOptions
	return &command{
		name: "run", synopsis: "<container-id>", min: 1, max: 1,
		summary: "create and start a container",
		details: `Creates and starts the container of a bundle, waits for it and deletes it. The
exit status is that of the container's program, 128+n when signal n killed it.`,
		options: append(o.table(),
			option{long: "detach", short: "d", value: &o.detach, usage: "return as soon as the program has started"},
			option{long: "keep", value: &o.keep, usage: "do not delete the container after it has exited"},
			option{long: "no-subreaper", value: &o.noSubreaper, usage: "do not reap the container's orphaned processes"},
		),
		lifecycle: true,
		run: func(a *app, args []string) (int, error) {
			if !o.detach {
				return a.runForeground(args[0], &o)
			}
			p, err := a.prepare(&o.bundleOptions, true)
			if err != nil {
				return exitFailure, err
			}
			_, err = a.createAndStart(args[0], p)
			return 0, err
		},
	}
}

// createAndStart leaves nothing behind when it fails.
func (a *app) createAndStart(id string, p *preparation) (*libcontainer.Container, error) {
	c, err := a.createContainer(id, p)
	if err != nil {
		return nil, err
	}
	if err := c.Start(a.log); err != nil {
		return nil, errors.Join(err, p.store.Delete(id, true, a.log))
	}
	return c, nil
}

// runForeground stays with the container until its program has exited.
func (a *app) runForeground(id string, o *runOptions) (int, error) {
	// Signals are kept for the container from before it is made, so that one that
	// comes early does not kill berth between create and start.
	signals := catchUsual()
	p, err := a.prepare(&o.bundleOptions, false)
	if err != nil {
		return exitFailure, err
	}
	if !o.noSubreaper {
		if err := libcontainer.BecomeSubreaper(); err != nil {
			return exitFailure, err
		}
	}
	t := &terminal{stdin: a.stdin, stdout: a.stdout}
	defer t.restore()
	if p.config.Process.Terminal {
		p.create.Console = t.attach
	}
	signals.await()
	c, err := a.createAndStart(id, p)
	if err != nil {
		return exitFailure, err
	}
	a.log.flush()
	// This process may live for months now.
	debug.SetGCPercent(100)

	t.run()
	go signals.forward(c, t, a.log)
	status, err := c.Wait()
	err = errors.Join(err, t.drain())
	if !o.keep {
		// Forced, as processes may outlive their init when the container
		// shares the host's pid namespace.
		err = errors.Join(err, c.Delete(a.log))
	}
	return status, err
}
