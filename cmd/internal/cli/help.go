// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
)

// help is what --help prints: what the command is for, how it is called, what is below
// it, and its options. The headings are runc's, since its users' scripts look for them.
func (c *Command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "NAME:\n   %s%s - %s\n\n", c.path(), c.Name(), c.Short)
	if c.Long != "" {
		b.WriteString(strings.TrimSpace(c.Long) + "\n\n")
	}
	b.WriteString("USAGE:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "  %s%s\n", c.path(), c.Use)
	}
	if len(c.commands) > 0 {
		fmt.Fprintf(&b, "  %s%s [command]\n", c.path(), c.Name())
	}
	if c.alias != "" {
		fmt.Fprintf(&b, "\nALIASES:\n  %s, %s\n", c.Name(), c.alias)
	}
	if len(c.commands) > 0 {
		b.WriteString("\nCOMMANDS:\n")
		for _, child := range c.commands {
			if !child.Hidden {
				fmt.Fprintf(&b, "  %-11s %s\n", child.Name(), child.Short)
			}
		}
	}
	if c.Flags().HasAvailableFlags() {
		heading := "OPTIONS"
		if c.parent == nil {
			heading = "GLOBAL OPTIONS"
		}
		b.WriteString("\n" + heading + ":\n" + c.flags.FlagUsages())
	}
	if len(c.commands) > 0 {
		fmt.Fprintf(&b, "\nUse \"%s%s [command] --help\" for more information about a command.\n", c.path(), c.Name())
	}
	return b.String()
}

func (a *app) helpCommand() *Command {
	c := &Command{
		Use:   "help [command] [flags]",
		Short: "show the help of a command",
		Long: `Help provides help for any command in the application.
Simply type ` + a.name + ` help [path to command] for full details.`,
		args: func(*Command, []string) error { return nil },
	}
	c.run = func(args []string) error {
		root := c.parent
		a.addAllCommands(root)
		about := root.find(args)
		if about == root && len(args) > 0 {
			return fmt.Errorf("no help for unknown command %q", strings.Join(args, " "))
		}
		a.text.WriteString(about.help())
		return nil
	}
	c.complete = func(args []string) ([]candidate, directive) {
		about := c.parent.find(args)
		if about == c.parent && len(args) > 0 {
			return nil, noFiles
		}
		return about.completeCommand(), noFiles
	}
	return c
}
