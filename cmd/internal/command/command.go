// SPDX-License-Identifier: Apache-2.0

// Package command has the tree of commands, and parses the command line, prints help and
// completes words with it.
package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/spf13/pflag"
)

// Command describes a command. Its parsing, help, completion and manual page are all made from
// it. Fields are optional unless they are marked as required.
//
// Options are parsed by pflag. The rest is our own, because engines use runc's syntax: options
// as in Go's package flag (see Normalise), global options only before the command, help and
// errors in runc's words, exit statuses that differ by command. Cobra does not do most of that
// by itself. What cobra does better, it does while berth is built: the
// completion scripts (berth-docs). At run time it could only answer the scripts. This takes 130
// lines in complete.go, and about 75 would be needed to describe our commands, words and syntax
// to cobra.
//
// Linking cobra would cost each start 0.03 ms, and finding the command 0.07 ms, of the 1.85 ms
// of CPU time of `berth state` (medians of 500 alternating pairs of builds; to measure it
// again, import it in cmd/berth and run tests/bench/run -n 500 -modes tight -ops state with
// both builds).
type Command struct {
	// Use is the usage line, which begins with the command's name. It is required.
	Use string
	// Short says in a few words what the command does. It is required.
	Short string
	// Long is the description, in sentences.
	Long string
	// Example has sentences, and below each, indented by two spaces, the commands that it is about.
	Example string
	// InGroup is the group that the command is listed in. Groups are those of its children, in order.
	InGroup string
	Groups  []string
	// Hidden leaves the command out of lists.
	Hidden bool

	// Alias is a second name.
	Alias string
	// Parent and Children are set by Add.
	Parent   *Command
	Children []*Command
	flags    *pflag.FlagSet
	// StopAtFirstArgument ends option parsing at the first positional argument. It is for
	// commands whose arguments are another program's command line, or a subcommand.
	StopAtFirstArgument bool
	// Args checks the positional arguments. It is required in a command that can be run.
	Args func(c *Command, args []string) error
	// Complete completes a positional argument.
	Complete Completer
	// Run runs the command with its positional arguments.
	Run func(args []string) error
}

// Name returns the name of the command.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Flags returns the options of the command.
func (c *Command) Flags() *pflag.FlagSet {
	if c.flags == nil {
		c.flags = pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	}
	return c.flags
}

// Runnable reports whether the command does something itself, and does not only group
// subcommands.
func (c *Command) Runnable() bool { return c.Run != nil }

// path returns the part of the usage line before the command's own: "" or "berth ".
func (c *Command) path() string {
	if c.Parent == nil {
		return ""
	}
	return c.Parent.path() + c.Parent.Name() + " "
}

// Add adds subcommands to c. Help and completion list them in this order.
func (c *Command) Add(children ...*Command) {
	for _, child := range children {
		child.Parent = c
	}
	c.Children = append(c.Children, children...)
}

// Child returns the subcommand of c with the given name or alias, nil if there is none.
func (c *Command) Child(name string) *Command {
	for _, child := range c.Children {
		if name == child.Name() || name == child.Alias && name != "" {
			return child
		}
	}
	return nil
}

// Find follows the names in args down the tree, and returns the last command it finds.
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

// DeclareHelp declares --help, which every command has.
func (c *Command) DeclareHelp() {
	c.Flags().BoolP("help", "h", false, "show help")
}

// Parse parses a command line without the command's name, and returns the positional
// arguments.
func (c *Command) Parse(argv []string) ([]string, error) {
	f := c.Flags()
	f.SetInterspersed(!c.StopAtFirstArgument)
	err := f.Parse(Normalise(f, argv, c.StopAtFirstArgument))
	if err != nil {
		err = explainOption(f, err)
	}
	return f.Args(), err
}

// explainOption adds to the error of an unknown option the one that may have been meant.
func explainOption(f *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	f.VisitAll(func(o *pflag.Flag) {
		if !o.Hidden {
			names = append(names, o.Name)
		}
	})
	if name := nearest.Of(unknown.GetSpecifiedName(), names); name != "" {
		return fmt.Errorf("%w (did you mean \"--%s\"?)", err, name)
	}
	return err
}
