// SPDX-License-Identifier: Apache-2.0

// Package command is the tree of commands and what follows from it: the parsing of a command
// line, help, completion.
package command

import (
	"strings"

	"github.com/spf13/pflag"
)

// Command is a command: what its parsing, its help, its completion and its manual
// page are made from. The zero value of each field that is not said to be needed
// means that there is none.
//
// The options are pflag's. All else is our own for the sake of runc's grammar, which engines
// write for: options as Go's package flag has them (see normalise), global options before the
// command and only there, help and errors in runc's words, exit statuses that differ by
// command. To cobra most of that would have to be taught. What cobra knows better it does
// while berth is built: the manual pages and the completion scripts (berth-docs). At run
// time it could only answer the scripts: of the 130 lines that do so in complete.go, about 75
// would come back as what tells cobra of our commands, words and grammar.
//
// It would cost each start 0.03 ms to be linked and 0.07 ms to find the command, of the 1.85
// ms of CPU time of `berth state` (medians of 500 alternating pairs of builds; to measure it
// again, import it in cmd/berth and run tests/bench/run -n 500 -modes tight -ops state with
// both builds).
type Command struct {
	// Use is the line of usage, which begins with the command's name. It is needed.
	Use string
	// Short says in a few words what the command does. It is needed.
	Short string
	// Long says it in sentences.
	Long string
	// Hidden keeps the command out of lists.
	Hidden bool

	// Alias is a second name.
	Alias    string
	Parent   *Command
	Children []*Command
	FlagSet  *pflag.FlagSet
	// StopAtFirstArgument ends option parsing at the first positional argument, for
	// commands whose arguments are somebody else's command line, or a further command.
	StopAtFirstArgument bool
	// Args checks the positional arguments. It is needed in all that can be run.
	Args func(c *Command, args []string) error
	// Complete completes a positional argument.
	Complete Completer
	// Run runs the command with its positional arguments.
	Run func(args []string) error
}

// Name is the name of the command.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Flags are the options of the command.
func (c *Command) Flags() *pflag.FlagSet {
	if c.FlagSet == nil {
		c.FlagSet = pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	}
	return c.FlagSet
}

// Commands are those below this one, sorted by name.
func (c *Command) Commands() []*Command { return c.Children }

// Runnable says whether the command does anything but to have others below it.
func (c *Command) Runnable() bool { return c.Run != nil }

// path is the line of usage up to the command's own part: "" or "berth ".
func (c *Command) path() string {
	if c.Parent == nil {
		return ""
	}
	return c.Parent.path() + c.Parent.Name() + " "
}

// Add puts children below c. Help and completions have them in this order.
func (c *Command) Add(children ...*Command) {
	for _, child := range children {
		child.Parent = c
	}
	c.Children = append(c.Children, children...)
}

// Child finds a command below c by name, nil when there is none.
func (c *Command) Child(name string) *Command {
	for _, child := range c.Children {
		if name == child.Name() || name == child.Alias && name != "" {
			return child
		}
	}
	return nil
}

// Find finds the command that args lead to, as far as they name any.
func (c *Command) Find(args []string) *Command {
	for _, name := range args {
		child := c.Child(name)
		if child == nil {
			break
		}
		c = child
	}
	return c
}

// DeclareHelp declares the option that each command has.
func (c *Command) DeclareHelp() {
	c.Flags().BoolP("help", "h", false, "show help")
}

// Parse parses a command line without the command's name, and returns the positional
// arguments.
func (c *Command) Parse(argv []string) ([]string, error) {
	f := c.Flags()
	f.SetInterspersed(!c.StopAtFirstArgument)
	err := f.Parse(Normalise(f, argv, c.StopAtFirstArgument))
	return f.Args(), err
}
