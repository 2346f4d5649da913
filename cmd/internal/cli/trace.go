// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/trace"
)

// traceEnv is the environment variable for --trace, for those who cannot change the command line
// that an engine uses.
const traceEnv = "BERTH_TRACE"

// beginning returns the time if the command line may ask for a trace, and the zero Time if not. This
// is known for certain only when it has been parsed, and the parsing is to be in the trace.
//
// The first look at the environment makes a map of it (package syscall), and costs some 0.01 ms. Most
// commands need the map anyway.
func beginning(argv []string) (now time.Time) {
	if slices.ContainsFunc(argv, isTraceOption) || os.Getenv(traceEnv) != "" {
		now = time.Now()
	}
	return now
}

func isTraceOption(arg string) bool {
	return strings.HasPrefix(arg, "--trace") || strings.HasPrefix(arg, "-trace")
}

// runTraced runs c. If there is to be a trace, it begins before c makes anything, and is written
// whether c fails or not.
func (a *app) runTraced(c *command.Command, args []string) error {
	if err := a.openTrace(c, args); err != nil {
		return err
	}
	span := a.trace.Begin(trace.Runtime, c.Name())
	err := span.End(c.Run(args))
	if werr := a.trace.Close(); werr != nil {
		a.log.Warnf("the trace is not complete: %v", werr)
	}
	return err
}

// openTrace opens the trace that --trace or $BERTH_TRACE asks for.
func (a *app) openTrace(c *command.Command, args []string) error {
	file, source := a.global.trace, "--trace"
	if file == "" && c.Name() != "trace" { // which reads what the variable names
		file, source = os.Getenv(traceEnv), traceEnv
	}
	if c.Name() == libcontainer.BuilderCommand {
		return nil
	}
	if file == "" && a.log.Debugging() {
		a.trace = trace.Collect()
		a.trace.TellTo(a.log.Phase)
	}
	if file == "" {
		return nil
	}
	about := trace.Command{Program: a.name, Name: c.Name()}
	if n := containerArgument(c); n >= 0 && n < len(args) {
		about.Container = args[n]
	}
	var err error
	if a.trace, err = trace.Open(file, about); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if a.log.Debugging() {
		a.trace.TellTo(a.log.Phase)
	}
	if now := time.Now(); !a.began.IsZero() {
		a.trace.Record(trace.Runtime, "exec and start of Go", trace.Started(a.began), a.began)
		a.trace.Record(trace.Runtime, "parse the command line", a.began, now)
	}
	return nil
}

// containerArgument returns which of the positional arguments of c is the id of a container, and -1
// if none is.
func containerArgument(c *command.Command) int {
	words := slices.DeleteFunc(strings.Fields(c.Use)[1:], func(w string) bool { return w == "[flags]" })
	return slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "CONTAINER") })
}

// beginPhase begins a phase of the command itself.
func (a *app) beginPhase(what string) trace.Span { return a.trace.Begin(trace.Runtime, what) }
