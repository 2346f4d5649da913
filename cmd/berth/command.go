// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer"
)

// command is one subcommand.
type command struct {
	name string
	// synopsis is what follows the options in the usage line: "<container-id>".
	synopsis string
	summary  string
	// details are paragraphs of plain text for the help and the man page.
	details string
	// min and max bound the number of positional arguments.
	min, max int
	options  []option
	// lifecycle commands name themselves in their errors ("berth create
	// failed: …"), since engines show these to people without any context.
	lifecycle bool
	// stopAtFirstArgument ends option parsing at the first positional
	// argument, for commands whose arguments are somebody else's command line.
	stopAtFirstArgument bool
	// hidden commands are left out of help, man page and completion.
	hidden bool
	// run does the work. The status is berth's exit status when err is nil.
	run func(a *app, args []string) (status int, err error)
}

// commands lists the subcommands in the order of the help text. A command is
// only built when it is called or listed.
func commands() []namedCommand {
	return []namedCommand{
		{"create", createCommand},
		{"start", startCommand},
		{"run", runCommand},
		{"state", stateCommand},
		{"kill", killCommand},
		{"delete", deleteCommand},
		{"list", listCommand},
		{"spec", specCommand},
		{"features", featuresCommand},
		{"completion", completionCommand},
		{"man", manCommand},
		{libcontainer.BuilderCommand, builderCommand},
	}
}

type namedCommand struct {
	name string
	make func() *command
}

// findCommand builds the command called name, nil when there is none.
func findCommand(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c.make()
		}
	}
	return nil
}

// checkArgs says whether n positional arguments are acceptable.
func (c *command) checkArgs(program string, n int) error {
	switch {
	case c.min == c.max && n != c.min:
		return fmt.Errorf("%s: %q requires exactly %d argument(s)", program, c.name, c.min)
	case n < c.min:
		return fmt.Errorf("%s: %q requires a minimum of %d argument(s)", program, c.name, c.min)
	case n > c.max:
		return fmt.Errorf("%s: %q requires a maximum of %d argument(s)", program, c.name, c.max)
	}
	return nil
}

// visibleCommands builds every command that help shows.
func visibleCommands() []*command {
	var visible []*command
	for _, n := range commands() {
		if c := n.make(); !c.hidden {
			c.options = append(c.options, helpOption(new(bool)))
			visible = append(visible, c)
		}
	}
	return visible
}
