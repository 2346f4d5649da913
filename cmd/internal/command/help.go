// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"
)

// Help returns what --help prints: the command's description, usage, subcommands and options.
// The headings are those of runc, because scripts look for them.
func (c *Command) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "NAME:\n   %s%s - %s\n\n", c.path(), c.Name(), c.Short)
	if c.Long != "" {
		b.WriteString(strings.TrimSpace(c.Long) + "\n\n")
	}
	b.WriteString("USAGE:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "  %s%s\n", c.path(), c.Use)
	}
	if len(c.Children) > 0 {
		fmt.Fprintf(&b, "  %s%s [command]\n", c.path(), c.Name())
	}
	if c.Alias != "" {
		fmt.Fprintf(&b, "\nALIASES:\n  %s, %s\n", c.Name(), c.Alias)
	}
	if len(c.Children) > 0 {
		b.WriteString("\nCOMMANDS:\n")
		for _, child := range c.Children {
			if !child.Hidden {
				fmt.Fprintf(&b, "  %-11s %s\n", child.Name(), child.Short)
			}
		}
	}
	if c.Flags().HasAvailableFlags() {
		heading := "OPTIONS"
		if c.Parent == nil {
			heading = "GLOBAL OPTIONS"
		}
		b.WriteString("\n" + heading + ":\n" + c.Flags().FlagUsages())
	}
	if len(c.Children) > 0 {
		fmt.Fprintf(&b, "\nUse \"%s%s [command] --help\" for more information about a command.\n", c.path(), c.Name())
	}
	return b.String()
}
