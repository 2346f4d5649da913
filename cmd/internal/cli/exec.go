// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/foreground"
	"github.com/berth-run/berth/cmd/internal/options"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/signals"
	"github.com/berth-run/berth/nsenter/timerslack"
	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// exitExecFailure is the exit status if exec itself failed, as opposed to the program.
const exitExecFailure = 255

// execOptions are the options of exec.
type execOptions struct {
	process       string
	detach        bool
	consoleSocket string
	pidfdSocket   string
	pidFile       string
	preserveFDs   int
	cgroups       []string
	ignorePaused  bool
	changes       options.Process
}

func (a *app) execCommand() *command.Command {
	var o execOptions
	c := &command.Command{
		Use:   "exec [flags] CONTAINER [COMMAND [ARG...]]",
		Short: "run another program in a container",
		Long: `Runs a program in a container, and waits for it. Its environment, user, working
directory and rights are those of the container's own process, or those in the
document of --process. Options and the command line override both. The exit status
is that of the program, 128+n if signal n killed it, or 255 if there was an error
before it ran.`,
		Example: `A shell in a container that runs:
  berth exec --tty box sh
As another user, with a variable:
  berth exec --user 1000:1000 --env A=b box id`,
		Args:     a.arguments(1, math.MaxInt),
		Complete: a.completeContainer,
	}
	f := c.Flags()
	o.declare(f)
	c.Run = func(args []string) (err error) {
		a.exitStatus, err = a.exec(args[0], args[1:], &o, f)
		return err
	}
	return c
}

// declare adds the options to f.
func (o *execOptions) declare(f *pflag.FlagSet) {
	o.changes.Declare(f)
	f.StringVarP(&o.process, "process", "p", "", "read the process from the JSON document `FILE`")
	f.BoolVarP(&o.detach, "detach", "d", false, "return as soon as the program has started")
	f.StringVar(&o.consoleSocket, "console-socket", "", "send the master of the terminal to the unix socket `PATH`")
	f.StringVar(&o.pidfdSocket, "pidfd-socket", "", "send a pidfd of the process to the unix socket `PATH`")
	f.StringVar(&o.pidFile, "pid-file", "", "write the pid of the process to `FILE`")
	f.IntVar(&o.preserveFDs, "preserve-fds", 0, "pass on `N` more file descriptors, from 3 upwards or after those of $LISTEN_FDS")
	f.StringArrayVar(&o.cgroups, "cgroup", nil, "run the program in the cgroup `[CONTROLLER[,CONTROLLER]:]PATH` below the container's (may be repeated on cgroup v1)")
	f.BoolVar(&o.ignorePaused, "ignore-paused", false, "accept a paused container: the program starts when it is resumed")
}

// exec runs the program and returns the exit status.
func (a *app) exec(id string, command []string, o *execOptions, flags *pflag.FlagSet) (int, error) {
	timerslack.Relax()
	// Reading from a pipe may block, and the start of a process in a paused container waits
	// until the container is resumed. Until then signals are meant for berth itself.
	document, err := o.document(a.log.Warnf)
	if err != nil {
		return 0, err
	}
	var caught *signals.Caught
	if !o.detach && !o.ignorePaused {
		if caught, err = foreground.Catch(); err != nil {
			return 0, err
		}
	}
	c, err := a.load(id)
	if err != nil {
		return 0, err
	}
	span := a.beginPhase("convert the process")
	process, err := a.execProcess(c, document, command, o, flags)
	if span.End(err) != nil {
		return 0, err
	}
	if err := a.checkTerminal(process.Terminal, o.detach, o.consoleSocket); err != nil {
		return 0, err
	}
	listen, err := listenFDs(os.Getenv)
	if err != nil {
		return 0, err
	}
	preserved, err := a.preserved(listen, o.preserveFDs)
	if err != nil {
		return 0, err
	}
	how := &libcontainer.ExecOptions{
		Stdio:         [3]*os.File{a.stdin, a.stdout, a.stderr},
		PreserveFDs:   preserved,
		ListenFDs:     listen,
		ConsoleSocket: o.consoleSocket,
		PIDFDSocket:   o.pidfdSocket,
		PIDFile:       o.pidFile,
		Cgroups:       o.cgroups,
		IgnorePaused:  o.ignorePaused,
	}
	if o.detach {
		return 0, execDetached(c, process, how)
	}
	return a.execForeground(c, process, how, caught)
}

// execDetached returns when the program runs. A signal that would end berth before that makes
// it undo what it has done. In a paused container, it waits for the start until such a signal
// comes.
func execDetached(c *libcontainer.Container, process *configs.Process, o *libcontainer.ExecOptions) (err error) {
	if !o.IgnorePaused {
		if o.Interrupts, err = libcontainer.KeepInterrupts(); err != nil {
			return err
		}
	}
	p, err := c.Exec(process, o)
	if err == nil {
		err = p.Close()
	}
	return errors.Join(err, o.Interrupts.Release())
}

// execForeground waits until the program has exited. If caught is nil, signals are caught as
// soon as the program runs.
func (a *app) execForeground(c *libcontainer.Container, process *configs.Process, o *libcontainer.ExecOptions, caught *signals.Caught) (int, error) {
	t := &terminal.Terminal{Stdin: a.stdin, Stdout: a.stdout}
	defer t.Restore()
	if process.Terminal {
		var err error
		if o.Console, err = t.Console(a.stderr); err != nil {
			return 0, err
		}
	}
	p, err := c.Exec(process, o)
	if err != nil {
		return 0, err
	}
	if caught == nil {
		if caught, err = foreground.Catch(); err != nil {
			return 0, err
		}
	}
	t.Run()
	span := a.beginPhase(phaseWait)
	status, err := foreground.Attend(p, caught, t, a.log)
	_ = span.End(err)
	return status, errors.Join(err, t.Drain())
}

// document reads the file that --process names. It returns nil without the option.
func (o *execOptions) document(warn specconv.Warn) (*specs.Process, error) {
	if o.process == "" {
		return nil, nil
	}
	p, err := specconv.LoadProcess(o.process, warn)
	if err != nil {
		return nil, fmt.Errorf("--process: %w", err)
	}
	return p, nil
}

// execProcess returns the process to run: the container's process or the document, changed by
// the command line.
func (a *app) execProcess(c *libcontainer.Container, document *specs.Process, command []string, o *execOptions, flags *pflag.FlagSet) (*configs.Process, error) {
	text, err := c.ProcessDocument()
	if err != nil {
		return nil, err
	}
	p, err := specconv.DecodeProcess(text)
	if err != nil {
		return nil, fmt.Errorf("the container's process: %w", err)
	}
	if document != nil {
		specconv.InheritProcess(document, p)
		p = document
	} else {
		p.Args, p.Terminal = nil, false
	}
	if len(command) > 0 {
		p.Args = command
	}
	if err := o.changes.Apply(p, flags.Changed); err != nil {
		return nil, err
	}
	// Create has printed the warnings about the container's process. Here they would be mixed
	// into the program's own stderr, each time.
	return specconv.ConvertExec(p, c.Annotations(), &specconv.Options{Warn: a.log.Debugf})
}
