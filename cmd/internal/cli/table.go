// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

// row is a row of the table of commands. It has what must be known about a command before it is
// built.
type row struct {
	name string
	// alias is a second name.
	alias string
	build func(*app) *command.Command
	// lifecycle commands name themselves in their errors ("berth create failed: …"), because
	// engines show these to users without any context.
	lifecycle bool
	// failure is the exit status of the command if it fails, 0 for the usual one. If set,
	// errors begin with just "NAME failed: ".
	failure int
	// stopAtFirstArgument is copied into the command.
	stopAtFirstArgument bool
}

// commands returns the table of commands. A command is built only when it is called. Help and
// completion build all of them.
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
		{name: "trace", build: (*app).traceCommand},
		{name: "inspect", build: (*app).inspectCommand},
		{name: "check", build: (*app).checkCommand},
		{name: "doctor", build: (*app).doctorCommand},
		{name: "spec", build: (*app).specCommand},
		{name: "features", build: (*app).featuresCommand},
		{name: "help", alias: "h", build: (*app).helpCommand},
		{name: "completion", build: (*app).completionCommand, stopAtFirstArgument: true},
		{name: libcontainer.BuilderCommand, build: (*app).builderCommand},
	}
}

// findRow finds a row by name or alias. It returns nil if there is none.
func findRow(name string) *row {
	table := commands()
	for i := range table {
		if r := &table[i]; name == r.name || name == r.alias && name != "" {
			return r
		}
	}
	return nil
}

func commandNames() []string {
	var names []string
	for _, r := range commands() {
		names = append(names, r.name)
	}
	return names
}

// command builds the command of the row.
func (r *row) command(a *app) *command.Command {
	c := r.build(a)
	c.Alias, c.StopAtFirstArgument = r.alias, r.stopAtFirstArgument
	c.DeclareHelp()
	return c
}

// Tree builds the program with all its commands, to generate documentation.
func Tree() *command.Command {
	a := newApp("berth", nil, nil, nil)
	root := a.rootCommand()
	a.addAllCommands(root)
	return root
}

// addAllCommands adds every command to root, sorted by name.
func (a *app) addAllCommands(root *command.Command) {
	table := commands()
	slices.SortFunc(table, func(r, s row) int { return strings.Compare(r.name, s.name) })
	root.Children = nil
	for i := range table {
		root.Add(table[i].command(a))
	}
}
