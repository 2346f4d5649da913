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
	// group is where the help lists it.
	group string
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

// The groups of the help, in its order.
const (
	groupLife     = "The life of a container"
	groupChange   = "In a container, and changes of one"
	groupLook     = "What containers are and do"
	groupDiagnose = "What can go wrong, and where time goes"
	groupPrepare  = "Preparation and help"
)

// commands returns the table of commands. A command is built only when it is called. Help and
// completion build all of them.
func commands() []row {
	return []row{
		{name: "create", group: groupLife, build: (*app).createCommand, lifecycle: true},
		{name: "start", group: groupLife, build: (*app).startCommand},
		{name: "run", group: groupLife, build: (*app).runCommand, lifecycle: true},
		{name: "exec", group: groupChange, build: (*app).execCommand, failure: exitExecFailure, stopAtFirstArgument: true},
		{name: "state", group: groupLook, build: (*app).stateCommand},
		{name: "kill", group: groupLife, build: (*app).killCommand},
		{name: "delete", group: groupLife, build: (*app).deleteCommand},
		{name: "pause", group: groupChange, build: (*app).pauseCommand},
		{name: "resume", group: groupChange, build: (*app).resumeCommand},
		{name: "update", group: groupChange, build: (*app).updateCommand},
		{name: "mounts", group: groupChange, build: (*app).mountsCommand},
		{name: "ps", group: groupLook, build: (*app).psCommand, stopAtFirstArgument: true},
		{name: "events", group: groupLook, build: (*app).eventsCommand},
		{name: "top", group: groupLook, alias: "stats", build: (*app).topCommand},
		{name: "checkpoint", group: groupChange, build: (*app).checkpointCommand},
		{name: "restore", group: groupChange, build: (*app).restoreCommand},
		{name: "wait", group: groupLife, build: (*app).waitCommand},
		{name: "list", group: groupLook, build: (*app).listCommand},
		{name: "trace", group: groupDiagnose, build: (*app).traceCommand},
		{name: "check", group: groupDiagnose, build: (*app).checkCommand},
		{name: "doctor", group: groupDiagnose, build: (*app).doctorCommand},
		{name: "inspect", group: groupDiagnose, build: (*app).inspectCommand},
		{name: "spec", group: groupPrepare, build: (*app).specCommand},
		{name: "features", group: groupDiagnose, build: (*app).featuresCommand},
		{name: "help", group: groupPrepare, alias: "h", build: (*app).helpCommand},
		{name: "completion", group: groupPrepare, build: (*app).completionCommand, stopAtFirstArgument: true},
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
	c.Alias, c.InGroup, c.StopAtFirstArgument = r.alias, r.group, r.stopAtFirstArgument
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
