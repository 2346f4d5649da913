// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Help returns what --help prints: the command's description, usage, examples, subcommands and
// options. The headings are those of runc, because scripts look for them.
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
		c.listChildren(&b)
	}
	if c.Flags().HasAvailableFlags() {
		heading := "OPTIONS"
		if c.Parent == nil {
			heading = "GLOBAL OPTIONS"
		}
		b.WriteString("\n" + heading + ":\n" + optionsHelp(c.Flags()))
	}
	if c.Example != "" {
		b.WriteString("\nEXAMPLES:\n")
		for line := range strings.Lines(c.Example) {
			b.WriteString("  " + line)
		}
		b.WriteByte('\n')
	}
	if len(c.Children) > 0 {
		fmt.Fprintf(&b, "\nUse \"%s%s [command] --help\" for more information about a command.\n", c.path(), c.Name())
	}
	return b.String()
}

// listChildren lists the subcommands by their groups; those without one come last.
func (c *Command) listChildren(b *strings.Builder) {
	for i, group := range c.GroupNames() {
		if group != "" {
			if i > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(b, " %s:\n", group)
		}
		for _, child := range c.Group(group) {
			fmt.Fprintf(b, "  %-11s %s\n", child.Name(), child.Short)
		}
	}
}

// GroupNames returns the names of the groups of c's subcommands that have any; "" is the last.
func (c *Command) GroupNames() []string {
	var names []string
	for _, name := range append(c.Groups[:len(c.Groups):len(c.Groups)], "") {
		if len(c.Group(name)) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// Group returns the subcommands of a group, without hidden ones.
func (c *Command) Group(name string) []*Command {
	var group []*Command
	for _, child := range c.Children {
		if child.InGroup == name && !child.Hidden {
			group = append(group, child)
		}
	}
	return group
}

// OptionHelp is what is to be said about an option.
type OptionHelp struct {
	// Short is "-h", or "" if there is none; Long is "--help".
	Short, Long string
	// Value is the name of the value, "" for a switch.
	Value string
	About string
	// Default is the value without the option; "" if there is none to be mentioned.
	Default string
}

// Describe describes an option.
func Describe(f *pflag.Flag) OptionHelp {
	h := OptionHelp{Long: "--" + f.Name}
	if f.Shorthand != "" {
		h.Short = "-" + f.Shorthand
	}
	h.Value, h.About = pflag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "0", "0s", "[]":
	default:
		h.Default = f.DefValue
	}
	if f.Value.Type() == "bool" {
		h.Value = ""
		if h.Default == "false" {
			h.Default = ""
		}
	}
	return h
}

// helpWidth is how wide the help is. helpColumn is where the descriptions of options begin.
const (
	helpWidth  = 100
	helpColumn = 30
)

// optionsHelp lists the options, which pflag would list in one line each, and switches with
// "[=true|false]".
func optionsHelp(f *pflag.FlagSet) string {
	var b strings.Builder
	f.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		h := Describe(f)
		left := "      " + h.Long
		if h.Short != "" {
			left = "  " + h.Short + ", " + h.Long
		}
		if h.Value != "" {
			left += " " + h.Value
		}
		about := h.About
		if h.Default != "" {
			about += " (default: " + h.Default + ")"
		}
		if len(left) > helpColumn-2 {
			b.WriteString(left + "\n")
			left = ""
		}
		for i, line := range wrap(about, helpWidth-helpColumn) {
			if i > 0 {
				left = ""
			}
			fmt.Fprintf(&b, "%-*s%s\n", helpColumn, left, line)
		}
	})
	return b.String()
}

// wrap breaks a text into lines of at most width bytes, unless a word is longer.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
