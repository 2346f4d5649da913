// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// exitFailure is the exit status of a command that failed.
const exitFailure = 1

// app is one invocation of berth.
type app struct {
	// name is what the program calls itself: "berth", or "runc" when it is
	// installed under that name, because containerd reads no version from a
	// program that says anything else.
	name                  string
	stdin, stdout, stderr *os.File
	global                globalOptions
	log                   *logger
}

func newApp(argv0 string, stdin, stdout, stderr *os.File) *app {
	a := &app{name: "berth", stdin: stdin, stdout: stdout, stderr: stderr}
	if filepath.Base(argv0) == "runc" {
		a.name = "runc"
	}
	a.log = newLogger(stderr)
	return a
}

// globalOptions are the options before the command.
type globalOptions struct {
	root      string
	log       string
	logFormat string
	logLevel  string
	rootless  string

	debug         bool
	systemdCgroup bool
	help          bool
	version       bool
}

// table is the flag table of the global options.
func (g *globalOptions) table() []option {
	g.logFormat = "text"
	g.rootless = "auto"
	return []option{
		{long: "root", value: &g.root, arg: "DIR", usage: "directory that keeps the state of containers; it should be on a tmpfs (default: /run/berth, or $XDG_RUNTIME_DIR/berth when rootless)"},
		{long: "log", value: &g.log, arg: "FILE", usage: "append log messages to FILE instead of writing them to stderr"},
		{long: "log-format", value: &g.logFormat, arg: "FORMAT", usage: "format of log messages: text or json"},
		{long: "log-level", value: &g.logLevel, arg: "LEVEL", usage: "least severe level to log: error, warning, info or debug (default: warning; a command that fails logs its error only)"},
		{long: "debug", value: &g.debug, usage: "log everything, as --log-level debug"},
		{long: "systemd-cgroup", value: &g.systemdCgroup, usage: "let systemd manage cgroups (create and run refuse it: not available yet)"},
		{long: "rootless", value: &g.rootless, arg: "BOOL", usage: "tolerate cgroup permission errors: true, false or auto"},
		{long: "help", short: "h", value: &g.help, usage: "show help"},
		{long: "version", short: "v", value: &g.version, usage: "print the version"},
	}
}

// main runs the command line and returns the exit status.
func (a *app) main(argv []string) int {
	args, err := parseOptions(a.global.table(), argv, false)
	if err != nil {
		return a.fail(err)
	}
	switch {
	case a.global.version:
		return a.status(0, a.printVersion())
	case a.global.help || len(args) == 0 || isHelp(args[0]):
		return a.status(0, a.help(args))
	}
	if err := a.log.configure(&a.global); err != nil {
		return a.fail(err)
	}
	defer a.log.close()
	c := findCommand(args[0])
	if c == nil {
		return a.fail(fmt.Errorf("unknown command %q (see \"%s --help\")", args[0], a.name))
	}
	status, err := a.runCommand(c, args[1:])
	if err != nil && c.lifecycle {
		err = fmt.Errorf("%s %s failed: %w", a.name, c.name, err)
	}
	return a.status(status, err)
}

// runCommand parses the command's own arguments and runs it.
func (a *app) runCommand(c *command, argv []string) (int, error) {
	help := false
	c.options = append(c.options, helpOption(&help))
	args, err := parseOptions(c.options, argv, !c.stopAtFirstArgument)
	if err != nil {
		return exitFailure, err
	}
	if help {
		return 0, a.print(a.commandHelp(c))
	}
	if err := c.checkArgs(a.name, len(args)); err != nil {
		if e := a.print("Incorrect Usage.\n\n" + a.commandHelp(c)); e != nil {
			err = errors.Join(err, e)
		}
		return exitFailure, err
	}
	return c.run(a, args)
}

func helpOption(value *bool) option {
	return option{long: "help", short: "h", value: value, usage: "show help"}
}

func isHelp(arg string) bool { return arg == "help" || arg == "h" }

// status turns the outcome of a command into the exit status, reporting err.
func (a *app) status(status int, err error) int {
	if err != nil {
		return a.fail(err)
	}
	a.log.flush()
	return status
}

// fail reports the one error of this invocation and returns the exit status.
func (a *app) fail(err error) int {
	a.log.fatal(err)
	return exitFailure
}

// print writes text to stdout.
func (a *app) print(text string) error {
	// os.File's error names the call and the file already.
	_, err := a.stdout.WriteString(text)
	return err
}
