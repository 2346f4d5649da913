// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
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

	// alias is a second name.
	alias    string
	parent   *Command
	commands []*Command
	flags    *pflag.FlagSet
	// stopAtFirstArgument ends option parsing at the first positional argument, for
	// commands whose arguments are somebody else's command line, or a further command.
	stopAtFirstArgument bool
	// args checks the positional arguments. It is needed in all that can be run.
	args func(c *Command, args []string) error
	// complete completes a positional argument.
	complete completer
	// run runs the command with its positional arguments.
	run func(args []string) error
}

// Name is the name of the command.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Flags are the options of the command.
func (c *Command) Flags() *pflag.FlagSet {
	if c.flags == nil {
		c.flags = pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	}
	return c.flags
}

// Commands are those below this one, sorted by name.
func (c *Command) Commands() []*Command { return c.commands }

// Runnable says whether the command does anything but to have others below it.
func (c *Command) Runnable() bool { return c.run != nil }

// path is the line of usage up to the command's own part: "" or "berth ".
func (c *Command) path() string {
	if c.parent == nil {
		return ""
	}
	return c.parent.path() + c.parent.Name() + " "
}

// add puts children below c. Help and completions have them in this order.
func (c *Command) add(children ...*Command) {
	for _, child := range children {
		child.parent = c
	}
	c.commands = append(c.commands, children...)
}

// child finds a command below c by name, nil when there is none.
func (c *Command) child(name string) *Command {
	for _, child := range c.commands {
		if name == child.Name() || name == child.alias && name != "" {
			return child
		}
	}
	return nil
}

// find finds the command that args lead to, as far as they name any.
func (c *Command) find(args []string) *Command {
	for _, name := range args {
		child := c.child(name)
		if child == nil {
			break
		}
		c = child
	}
	return c
}

// declareHelp declares the option that each command has.
func (c *Command) declareHelp() {
	c.Flags().BoolP("help", "h", false, "show help")
}

// parse parses a command line without the command's name, and returns the positional
// arguments.
func (c *Command) parse(argv []string) ([]string, error) {
	f := c.Flags()
	f.SetInterspersed(!c.stopAtFirstArgument)
	err := f.Parse(normalise(f, argv, c.stopAtFirstArgument))
	return f.Args(), err
}

// execute runs c with a command line that lacks the command's name.
func (a *app) execute(c *Command, argv []string) error {
	args, err := c.parse(argv)
	if err != nil {
		return err
	}
	if help, err := c.flags.GetBool("help"); help || err != nil {
		a.text.WriteString(c.help())
		return err
	}
	if err := c.args(c, args); err != nil {
		return err
	}
	return c.run(args)
}

// arguments accepts least to most positional arguments. The texts are runc's.
func (a *app) arguments(least, most int) func(*Command, []string) error {
	return func(c *Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		n, bound := least, "a minimum of"
		switch {
		case least == most:
			bound = "exactly"
		case len(args) > most:
			n, bound = most, "a maximum of"
		}
		a.text.WriteString("Incorrect Usage.\n\n" + c.help())
		return fmt.Errorf("%s: %q requires %s %d argument(s)", a.name, c.Name(), bound, n)
	}
}
