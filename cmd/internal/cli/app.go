// SPDX-License-Identifier: Apache-2.0

// Package cli implements berth's command line: options, messages and exit statuses, one file
// per command. It makes no decisions about containers: specconv reads the bundle, and
// libcontainer does the work. A command that fails always writes exactly one line of level
// error, and a command that succeeds writes only warnings to stderr.
package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/berth-run/berth/libcontainer/trace"
)

// exitFailure is the exit status of a command that failed.
const exitFailure = 1

// app is one invocation of berth.
type app struct {
	// name is the name that the program prints: "berth", or "runc" if it is installed under
	// that name, because containerd accepts the version of no other name.
	name string
	// commit is the commit that berth was built from, "" if it is not known.
	commit                string
	stdin, stdout, stderr *os.File
	// inherited is the number of open descriptors, from 3 upwards, that berth was started with.
	inherited int
	global    globalOptions
	log       *report.Logger
	// trace is nil if there is none. began is when main began, the zero Time without a trace.
	trace *trace.Trace
	began time.Time
	// exitStatus is berth's exit status if the command succeeds.
	exitStatus int
	// failure is the exit status if the command fails.
	failure int
	// text is help or completion text, which is printed at the end of the command.
	text strings.Builder
}

// Main runs the command line argv, whose first word is the name of the program, with the
// standard streams, and returns the exit status. commit is the commit that berth was built
// from, "" if it is not known.
func Main(argv []string, commit string) int {
	a := newApp(argv[0], os.Stdin, os.Stdout, os.Stderr)
	a.commit = commit
	a.began = beginning(argv[1:])
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
	a.log = report.New(stderr, a.name)
	return a
}

// main runs the command line and returns the exit status.
//
// The global options are parsed first, so that an error in the rest of the command line is
// logged where the engine reads it.
func (a *app) main(argv []string) int {
	root := a.rootCommand()
	args, err := root.Parse(argv)
	if err != nil {
		return a.fail(codes.With(codes.Usage, err))
	}
	switch {
	case a.global.version:
		return a.finish(a.printVersion())
	case a.global.help || len(args) == 0:
		a.addAllCommands(root)
		a.text.WriteString(root.Help())
		return a.finish(nil)
	}
	if err := a.log.Configure(&a.global.log); err != nil {
		return a.fail(codes.With(codes.Usage, err))
	}
	defer a.log.Close()
	if err := a.global.checkManager(); err != nil {
		return a.fail(codes.With(codes.Usage, err))
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
		err := fmt.Errorf("unknown command %q%s (see \"%s --help\")", args[0], nearest.Hint(args[0], commandNames()), a.name)
		return codes.With(codes.Usage, err)
	}
	a.log.Debugf("%s %q", a.name, args)
	c := row.command(a)
	root.Add(c)
	err := a.explainRights(a.execute(c, args[1:]))
	switch {
	case err == nil:
	case row.lifecycle:
		err = configs.PutPhrase(a.name+" "+row.name+" failed", err)
	case row.failure != 0:
		a.failure = row.failure
		err = configs.PutPhrase(row.name+" failed", err)
	}
	return err
}

// finish reports err, if there is one, and returns the exit status.
func (a *app) finish(err error) int {
	if a.text.Len() > 0 {
		if e := a.print(a.text.String()); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return a.fail(err)
	}
	a.log.Flush()
	return a.exitStatus
}

// fail reports the one error of this invocation and returns the exit status.
func (a *app) fail(err error) int {
	a.log.Fatal(err)
	return a.failure
}

// print writes text to stdout.
func (a *app) print(text string) error {
	// os.File's error names the call and the file already.
	_, err := a.stdout.WriteString(text)
	return err
}
