// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/berth-run/berth/libcontainer"
)

func listCommand() *command {
	format, quiet := "table", false
	return &command{
		name: "list", synopsis: "", min: 0, max: 0,
		summary: "list the containers below the root",
		options: []option{
			{long: "format", short: "f", value: &format, arg: "FORMAT", usage: "table or json"},
			{long: "quiet", short: "q", value: &quiet, usage: "print container ids only"},
		},
		run: func(a *app, _ []string) (int, error) {
			if format != "table" && format != "json" {
				return exitFailure, errors.New("invalid format option")
			}
			containers, err := a.list()
			if err != nil {
				return exitFailure, err
			}
			return 0, a.printList(containers, format, quiet)
		},
	}
}

func (a *app) printList(containers []*libcontainer.Container, format string, quiet bool) error {
	if quiet {
		return a.print(idLines(containers))
	}
	views := a.views(containers)
	if format == "table" {
		return writeTable(a.stdout, views)
	}
	// A nil slice is printed as "null", as runc prints it.
	text, err := json.Marshal(views)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return a.print(string(text) + "\n")
}

// list finds all containers. A default root that nobody has made yet has none;
// a root that the caller named and that is missing is a mistake.
func (a *app) list() ([]*libcontainer.Container, error) {
	if a.global.root != "" {
		if _, err := os.Stat(a.global.root); err != nil {
			return nil, fmt.Errorf("--root: %w", err)
		}
	}
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	return store.List(a.log)
}

// views reads the states. A container that cannot be read, since it is being
// deleted at this moment, is no reason to hide the others.
func (a *app) views(containers []*libcontainer.Container) []stateView {
	var views []stateView
	for _, c := range containers {
		state, err := c.State()
		if err != nil {
			a.log.Warnf("state of container %s: %v", c.ID(), err)
			continue
		}
		views = append(views, newStateView(state))
	}
	return views
}

func idLines(containers []*libcontainer.Container) string {
	var b strings.Builder
	for _, c := range containers {
		b.WriteString(c.ID())
		b.WriteByte('\n')
	}
	return b.String()
}

// writeTable prints the columns of runc's table, which scripts cut by position.
func writeTable(w io.Writer, views []stateView) error {
	var rows strings.Builder
	rows.WriteString("ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for i := range views {
		v := &views[i]
		// A bundle is a path, and a path may hold what drives a terminal.
		fmt.Fprintf(&rows, "%s\t%d\t%s\t%s\t%s\t%s\n", v.ID, v.PID, v.Status,
			printable(v.Bundle), v.Created.Format(time.RFC3339Nano), printable(v.Owner))
	}
	t := tabwriter.NewWriter(w, 12, 1, 3, ' ', 0)
	if _, err := io.WriteString(t, rows.String()); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}
