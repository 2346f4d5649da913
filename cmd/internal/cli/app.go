// SPDX-License-Identifier: Apache-2.0

// Package cli is berth's command line: flags, messages and exit codes, one file
// per command. It decides nothing about containers: specconv reads the bundle,
// libcontainer does the work. Its one invariant: a command that fails writes
// exactly one line of level error, and a command that succeeds writes nothing
// but warnings on stderr.
package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

// exitFailure is the exit status of a command that failed.
const exitFailure = 1

// app is one invocation of berth.
type app struct {
	// name is what the program calls itself: "berth", or "runc" when it is
	// installed under that name, because containerd reads no version from a
	// program that says anything else.
	name string
	// commit is what berth was built from, "" when that is not known.
	commit                string
	stdin, stdout, stderr *os.File
	// inherited is the number of descriptors that berth was started with from 3 upwards.
	inherited int
	global    globalOptions
	log       *logger
	// exitStatus is berth's exit status when the command does not fail.
	exitStatus int
	// failure is the one when it does.
	failure int
	// text is the help or completion to be printed when the command is done.
	text strings.Builder
}

// Main runs the command line argv, whose first word is the name of the program,
// with the standard streams, and returns the exit status. commit names what
// berth was built from, "" if that is not known.
func Main(argv []string, commit string) int {
	a := newApp(argv[0], os.Stdin, os.Stdout, os.Stderr)
	a.commit = commit
	var err error
	if a.inherited, err = libcontainer.CloseOnExec(); err != nil {
		return a.fail(err)
	}
	return a.main(argv[1:])
}

func newApp(argv0 string, stdin, stdout, stderr *os.File) *app {
	a := &app{name: "berth", stdin: stdin, stdout: stdout, stderr: stderr, failure: exitFailure}
	if filepath.Base(argv0) == "runc" {
		a.name = "runc"
	}
	a.log = newLogger(stderr)
	return a
}

// main runs the command line and returns the exit status.
//
// The global options are parsed by themselves, so that whatever is wrong with
// the rest is logged where the engine reads it.
func (a *app) main(argv []string) int {
	root := a.rootCommand()
	args, err := root.Parse(argv)
	if err != nil {
		return a.fail(err)
	}
	switch {
	case a.global.version:
		return a.finish(a.printVersion())
	case a.global.help || len(args) == 0:
		a.addAllCommands(root)
		a.text.WriteString(root.Help())
		return a.finish(nil)
	}
	if err := a.log.configure(&a.global); err != nil {
		return a.fail(err)
	}
	defer a.log.close()
	if err := a.global.checkManager(); err != nil {
		return a.fail(err)
	}
	return a.finish(a.run(root, args))
}

// run runs the command that args begin with.
func (a *app) run(root *command.Command, args []string) error {
	if command.IsCompletionRequest(args[0]) {
		return a.completeRequest(root, args)
	}
	row := findRow(args[0])
	if row == nil {
		return fmt.Errorf("unknown command %q (see \"%s --help\")", args[0], a.name)
	}
	a.log.Debugf("%s %q", a.name, args)
	c := row.command(a)
	root.Add(c)
	err := a.execute(c, args[1:])
	switch {
	case err == nil:
	case row.lifecycle:
		err = fmt.Errorf("%s %s failed: %w", a.name, row.name, err)
	case row.failure != 0:
		a.failure = row.failure
		err = fmt.Errorf("%s failed: %w", row.name, err)
	}
	return err
}

// finish turns the outcome of a command into the exit status, reporting err.
func (a *app) finish(err error) int {
	if a.text.Len() > 0 {
		if e := a.print(a.text.String()); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return a.fail(err)
	}
	a.log.flush()
	return a.exitStatus
}

// fail reports the one error of this invocation and returns the exit status.
func (a *app) fail(err error) int {
	a.log.fatal(err)
	return a.failure
}

// print writes text to stdout.
func (a *app) print(text string) error {
	// os.File's error names the call and the file already.
	_, err := a.stdout.WriteString(text)
	return err
}
