// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer/codes"
)

// execute runs c with argv, the command line after the command's name.
func (a *app) execute(c *command.Command, argv []string) error {
	args, err := c.Parse(argv)
	if err != nil {
		return codes.With(codes.Usage, err)
	}
	if help, err := c.Flags().GetBool("help"); help || err != nil {
		a.text.WriteString(c.Help())
		return err
	}
	if err := c.Args(c, args); err != nil {
		return codes.With(codes.Usage, err)
	}
	return a.runTraced(c, args)
}

// arguments returns a check for at least least and at most most positional arguments. The error
// texts are those of runc.
func (a *app) arguments(least, most int) func(*command.Command, []string) error {
	return func(c *command.Command, args []string) error {
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
		a.text.WriteString("Incorrect Usage.\n\n" + c.Help())
		return fmt.Errorf("%s: %q requires %s %d argument(s)", a.name, c.Name(), bound, n)
	}
}

func (a *app) helpCommand() *command.Command {
	c := &command.Command{
		Use:   "help [command] [flags]",
		Short: "show the help of a command",
		Long: `Help provides help for any command in the application.
Simply type ` + a.name + ` help [path to command] for full details.`,
		Example: `  berth help run`,
		Args:    func(*command.Command, []string) error { return nil },
	}
	c.Run = func(args []string) error {
		root := c.Parent
		a.addAllCommands(root)
		about := root.Find(args)
		if about == root && len(args) > 0 {
			return codes.With(codes.Usage, fmt.Errorf("no help for unknown command %q", strings.Join(args, " ")))
		}
		a.text.WriteString(about.Help())
		return nil
	}
	c.Complete = func(args []string) ([]command.Candidate, command.Directive) {
		about := c.Parent.Find(args)
		if about == c.Parent && len(args) > 0 {
			return nil, command.NoFiles
		}
		return about.CompleteCommand(), command.NoFiles
	}
	return c
}
