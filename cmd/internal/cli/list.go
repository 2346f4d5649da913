// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/nsenter/timerslack"
)

func (a *app) listCommand() *command.Command {
	var format string
	quiet := false
	c := &command.Command{
		Use:   "list [flags]",
		Short: "list the containers in the state directory",
		Example: `  berth list
  berth list --quiet`,
		Args: a.arguments(0, 0),
		Run: func([]string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("invalid format option %q (table and json are known)", format)
			}
			timerslack.Relax()
			states, err := a.list()
			if err != nil {
				return err
			}
			return a.printList(states, format, quiet)
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "table", "print the list as `FORMAT`: table or json")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print container ids only")
	return c
}

// list returns the states of all containers. If the default root does not exist yet, there are
// none. If a root given with --root does not exist, that is an error.
func (a *app) list() ([]*libcontainer.State, error) {
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	states, err := store.List(a.log)
	if a.global.root == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return states, err
}

func (a *app) printList(states []*libcontainer.State, format string, quiet bool) error {
	if quiet {
		var b strings.Builder
		for _, s := range states {
			b.WriteString(s.ID + "\n")
		}
		return a.print(b.String())
	}
	if format == "table" {
		return a.print(table(states))
	}
	text, err := json.Marshal(states) // "null" if there are none, as in runc
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return a.print(string(text) + "\n")
}

// table returns the columns of runc's table. Scripts cut them by position.
func table(states []*libcontainer.State) string {
	var rows, text strings.Builder
	rows.WriteString("ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range states {
		// A bundle is a path, and a path may contain escape sequences of terminals.
		fmt.Fprintf(&rows, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.PID, s.Status,
			report.Printable(s.Bundle), s.Created.Format(time.RFC3339Nano), report.Printable(s.Owner))
	}
	t := tabwriter.NewWriter(&text, 12, 1, 3, ' ', 0)
	_, _ = io.WriteString(t, rows.String()) // a strings.Builder has no errors
	_ = t.Flush()
	return text.String()
}
