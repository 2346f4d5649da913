// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/nsenter/timerslack"
)

func (a *app) psCommand() *command.Command {
	var format string
	c := &command.Command{
		Use:   "ps [flags] CONTAINER [PS-OPTION...]",
		Short: "list the processes of a container",
		Long: `Lists the processes of a container with the host's ps(1). The options after the
container's id are passed to ps (default: -ef); its output must have a PID column.`,
		Example: `  berth ps box
  berth ps box -eo pid,rss,args`,
		Args:     a.arguments(1, math.MaxInt),
		Complete: a.completeContainer,
		Run: func(args []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("invalid format option %q (table and json are known)", format)
			}
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			pids, err := c.Processes()
			if err != nil {
				return err
			}
			if format == "table" {
				return a.printProcesses(pids, args[1:])
			}
			text, err := json.Marshal(append([]int{}, pids...)) // an array even if it is empty
			if err != nil {
				return fmt.Errorf("encode JSON: %w", err)
			}
			return a.print(string(text) + "\n")
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "table", "print the list as `FORMAT`: table or json (an array of pids)")
	return c
}

// printProcesses runs ps and prints its lines about the processes in pids.
func (a *app) printProcesses(pids []int, options []string) error {
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	var stderr bytes.Buffer
	ps := exec.Command("ps", options...)
	ps.Stderr = &stderr
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerslack.Restore()
	out, err := ps.Output()
	if err != nil {
		// After the first line ps prints its usage.
		reason, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		if reason == "" {
			return fmt.Errorf("ps: %w", err)
		}
		return fmt.Errorf("ps: %w: %s", err, reason)
	}
	table, err := filterProcesses(string(out), pids)
	if err != nil {
		return err
	}
	return a.print(table)
}

// filterProcesses keeps the heading of ps's output and the lines about the processes in pids.
func filterProcesses(table string, pids []int) (string, error) {
	heading, rows, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(heading), "PID")
	if column < 0 {
		return "", errors.New("couldn't find PID field in ps output")
	}
	end := strings.Index(" "+heading+" ", " PID ") + len("PID")
	var b strings.Builder
	b.WriteString(heading + "\n")
	for row := range strings.Lines(rows) {
		row = strings.TrimSuffix(row, "\n")
		if pid, ok := pidOf(row, column, end); ok && slices.Contains(pids, pid) {
			b.WriteString(row + "\n")
		}
	}
	return b.String(), nil
}

// pidOf returns the process id in a line of ps. It is right-aligned with the heading, which
// ends at end. If an earlier field is too long for its column, pidOf counts fields instead.
func pidOf(row string, column, end int) (int, bool) {
	if end <= len(row) && (end == len(row) || row[end] == ' ') {
		word := row[strings.LastIndexByte(row[:end], ' ')+1 : end]
		if pid, err := strconv.Atoi(word); err == nil {
			return pid, true
		}
	}
	words := strings.Fields(row)
	if column >= len(words) {
		return 0, false
	}
	pid, err := strconv.Atoi(words[column])
	return pid, err == nil
}
