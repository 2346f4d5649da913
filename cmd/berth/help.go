// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

const (
	summary = "an OCI container runtime"
	details = `berth runs containers as the OCI runtime-spec describes them: a bundle is a
directory with a config.json and a root file system. Engines such as containerd,
Docker, Podman and CRI-O call it; by hand, "berth run" in a bundle is all it takes.`
)

// help prints the help that args ask for: of the program, or of the command
// after "help".
func (a *app) help(args []string) error {
	if len(args) > 1 && isHelp(args[0]) {
		c := findCommand(args[1])
		if c == nil {
			return fmt.Errorf("no help for unknown command %q", args[1])
		}
		c.options = append(c.options, helpOption(new(bool)))
		return a.print(a.commandHelp(c))
	}
	return a.print(a.programHelp())
}

func (a *app) programHelp() string {
	var b strings.Builder
	fmt.Fprintf(&b, "NAME:\n   %s - %s\n\n%s\n\nUSAGE:\n   %s [global options] command [command options] [arguments...]\n\nCOMMANDS:\n",
		a.name, summary, details, a.name)
	var rows [][2]string
	for _, c := range visibleCommands() {
		rows = append(rows, [2]string{c.name, c.summary})
	}
	rows = append(rows, [2]string{"help, h", "show the help of a command"})
	writeRows(&b, rows)
	b.WriteString("\nGLOBAL OPTIONS:\n")
	var g globalOptions
	writeRows(&b, optionRows(g.table()))
	return b.String()
}

func (a *app) commandHelp(c *command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "NAME:\n   %s %s - %s\n\nUSAGE:\n   %s\n", a.name, c.name, c.summary, c.usage(a.name))
	if c.details != "" {
		fmt.Fprintf(&b, "\n%s\n", c.details)
	}
	b.WriteString("\nOPTIONS:\n")
	writeRows(&b, optionRows(c.options))
	return b.String()
}

// usage is the command's usage line.
func (c *command) usage(program string) string {
	return strings.TrimSpace(program + " " + c.name + " [options] " + c.synopsis)
}

// optionRows describes a flag table: names and value at the left, usage at the
// right.
func optionRows(options []option) [][2]string {
	rows := make([][2]string, 0, len(options))
	for i := range options {
		o := &options[i]
		left := "--" + o.long
		if o.arg != "" {
			left += " " + o.arg
		}
		if o.short != "" {
			left += ", -" + o.short
			if o.arg != "" {
				left += " " + o.arg
			}
		}
		right := o.usage
		if d := o.defaultText(); d != "" {
			right += " (default: " + d + ")"
		}
		rows = append(rows, [2]string{left, right})
	}
	return rows
}

// writeRows writes rows with their right sides aligned.
func writeRows(b *strings.Builder, rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(b, "   %-*s  %s\n", width, r[0], r[1])
	}
}
