// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-run/berth/libcontainer"
)

// command is a row of the table of commands: what has to be known before the
// command is built, and what cobra has no field for.
type command struct {
	name  string
	build func(*app) *cobra.Command
	// lifecycle commands name themselves in their errors ("berth create
	// failed: …"), since engines show these to people without any context.
	lifecycle bool
	// failure is the exit status of the command when it fails, 0 for the usual one;
	// its errors then begin with "NAME failed: " alone.
	failure int
	// stopAtFirstArgument ends option parsing at the first positional
	// argument, for commands whose arguments are somebody else's command line.
	stopAtFirstArgument bool
}

// commands is the table of commands. A command is only built when it is called,
// or when all are for the help: cobra would build, and search, all of them at
// each start.
func commands() []command {
	return []command{
		{name: "create", build: (*app).createCommand, lifecycle: true},
		{name: "start", build: (*app).startCommand},
		{name: "run", build: (*app).runCommand, lifecycle: true},
		{name: "exec", build: (*app).execCommand, failure: exitExecFailure, stopAtFirstArgument: true},
		{name: "state", build: (*app).stateCommand},
		{name: "kill", build: (*app).killCommand},
		{name: "delete", build: (*app).deleteCommand},
		{name: "pause", build: (*app).pauseCommand},
		{name: "resume", build: (*app).resumeCommand},
		{name: "update", build: (*app).updateCommand},
		{name: "mounts", build: (*app).mountsCommand},
		{name: "ps", build: (*app).psCommand, stopAtFirstArgument: true},
		{name: "events", build: (*app).eventsCommand},
		{name: "checkpoint", build: (*app).checkpointCommand},
		{name: "restore", build: (*app).restoreCommand},
		{name: "wait", build: (*app).waitCommand},
		{name: "list", build: (*app).listCommand},
		{name: "spec", build: (*app).specCommand},
		{name: "features", build: (*app).featuresCommand},
		{name: libcontainer.BuilderCommand, build: (*app).builderCommand},
	}
}

// findCommand finds a row by name, nil when there is none.
func findCommand(name string) *command {
	table := commands()
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// command builds the command of the row.
func (r *command) command(a *app) *cobra.Command {
	c := r.build(a)
	c.Flags().SetInterspersed(!r.stopAtFirstArgument)
	c.Flags().BoolP("help", "h", false, "show help")
	return c
}

// Tree builds all commands, for what describes them.
func Tree() *cobra.Command {
	a := newApp("berth", nil, nil, nil)
	root := a.rootCommand()
	a.addAllCommands(root)
	return root
}

// addAllCommands adds every command, cobra's own included.
func (a *app) addAllCommands(root *cobra.Command) {
	table := commands()
	for i := range table {
		root.AddCommand(table[i].command(a))
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			amendHelp(c)
		case "completion":
			a.amendCompletion(c)
		}
	}
}

// isWholeTree says whether name is one of cobra's own commands, which need to
// know all others.
func isWholeTree(name string) bool {
	switch name {
	case "help", "h", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return true
	}
	return false
}

// amendHelp makes an error of asking for the help of nothing.
func amendHelp(help *cobra.Command) {
	help.Aliases = []string{"h"}
	help.Short = "show the help of a command"
	help.RunE = func(c *cobra.Command, args []string) error {
		about, _, err := c.Root().Find(args)
		if err != nil {
			return fmt.Errorf("no help for unknown command %q", strings.Join(args, " "))
		}
		return about.Help()
	}
}

// amendCompletion makes an error of asking for an unknown shell.
func (a *app) amendCompletion(completion *cobra.Command) {
	completion.Short = "print a completion script for a shell"
	completion.Args = a.arguments(1, 1)
	completion.RunE = func(_ *cobra.Command, args []string) error {
		return fmt.Errorf("no completion for shell %q", args[0])
	}
}

// arguments accepts least to most positional arguments. The texts are runc's.
func (a *app) arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
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
		c.Print("Incorrect Usage.\n\n")
		err := fmt.Errorf("%s: %q requires %s %d argument(s)", a.name, c.Name(), bound, n)
		return errors.Join(err, c.Help())
	}
}

// completeContainer completes the first argument with the ids of containers.
func (a *app) completeContainer(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	states, err := a.list()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ids := make([]cobra.Completion, 0, len(states))
	for _, s := range states {
		ids = append(ids, cobra.CompletionWithDesc(s.ID, string(s.Status)))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
