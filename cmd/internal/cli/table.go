// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

// row is a row of the table of commands: what has to be known before the command is
// built, and what tells it from others when it is called.
type row struct {
	name string
	// alias is a second name.
	alias string
	build func(*app) *command.Command
	// lifecycle commands name themselves in their errors ("berth create
	// failed: …"), since engines show these to people without any context.
	lifecycle bool
	// failure is the exit status of the command when it fails, 0 for the usual one;
	// its errors then begin with "NAME failed: " alone.
	failure int
	// stopAtFirstArgument is for the command.
	stopAtFirstArgument bool
}

// commands is the table of commands. A command is only built when it is called, or
// when all are, for the help and for completions.
func commands() []row {
	return []row{
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
		{name: "help", alias: "h", build: (*app).helpCommand},
		{name: "completion", build: (*app).completionCommand, stopAtFirstArgument: true},
		{name: libcontainer.BuilderCommand, build: (*app).builderCommand},
	}
}

// findRow finds a row by name, nil when there is none.
func findRow(name string) *row {
	table := commands()
	for i := range table {
		if r := &table[i]; name == r.name || name == r.alias && name != "" {
			return r
		}
	}
	return nil
}

// command builds the command of the row.
func (r *row) command(a *app) *command.Command {
	c := r.build(a)
	c.Alias, c.StopAtFirstArgument = r.alias, r.stopAtFirstArgument
	c.DeclareHelp()
	return c
}

// Tree builds the program with all its commands, for what describes them.
func Tree() *command.Command {
	a := newApp("berth", nil, nil, nil)
	root := a.rootCommand()
	a.addAllCommands(root)
	return root
}

// addAllCommands puts every command below root, sorted by name.
func (a *app) addAllCommands(root *command.Command) {
	table := commands()
	slices.SortFunc(table, func(r, s row) int { return strings.Compare(r.name, s.name) })
	root.Children = nil
	for i := range table {
		root.Add(table[i].command(a))
	}
}
