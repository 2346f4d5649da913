// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/cmd/internal/timeline"
)

func (a *app) traceCommand() *command.Command {
	var format string
	var threshold time.Duration
	c := &command.Command{
		Use:   "trace [flags] FILE|DIR...",
		Short: "show where the time of commands went, and where they failed",
		Long: `Shows the traces that --trace FILE (or BERTH_TRACE) has written: for each command a tree
of its phases, in a track for each process or thread, with the start and the duration in
milliseconds and the share of the command's time. The phase that took the longest by
itself is marked, and so is the one in which the command failed. The time in which a
program in the foreground runs is never the longest. A file may have several commands.
Of a directory, the files with names ending in .json are shown.`,
		Example: `Why does it take so long?
  berth --trace run.json run box
  berth trace --threshold 1ms run.json`,
		Args:     a.arguments(1, math.MaxInt),
		Complete: func([]string) ([]command.Candidate, command.Directive) { return nil, command.FilesToo },
		Run: func(paths []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if threshold < 0 {
				return errors.New("--threshold: must not be negative")
			}
			commands, err := timeline.Read(paths)
			if err != nil {
				return err
			}
			if format == "table" {
				return a.print(timeline.Table(commands, timeline.Style{Threshold: threshold, Colour: terminal.HasColour(a.stdout)}))
			}
			text, err := timeline.JSON(commands, threshold)
			if err != nil {
				return fmt.Errorf("encode JSON: %w", err)
			}
			return a.print(string(text) + "\n")
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "table", "print the trace as `FORMAT`: table (the trees) or json")
	c.Flags().DurationVar(&threshold, "threshold", 0, "hide phases that took less than `DURATION`, like 1ms, unless they failed")
	return c
}
