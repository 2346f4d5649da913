// SPDX-License-Identifier: Apache-2.0

// Command vm runs batches of tests in test machines, in one boot for each kind of machine, and
// judges their output.
//
// It does not know how a machine is made (boot does), nor what the tests do. Its one invariant:
// it fails if a test fails, is skipped without being listed, is listed without being skipped, or
// does not run at all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	boot, payload, batches, skips, name string
	timeout                             time.Duration
	slow                                int
	verbose                             bool
	names                               []string
}

func main() {
	var o options
	flag.StringVar(&o.boot, "boot", "", "`path` of the script that boots a machine")
	flag.StringVar(&o.payload, "payload", "", "`directory` to copy to the machines")
	flag.StringVar(&o.batches, "batches", "", "`file` with the table of batches")
	flag.StringVar(&o.skips, "skips", "", "`file` with the table of accepted skips")
	flag.StringVar(&o.name, "name", "berth", "`name` of the runtime for the tests")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Minute, "time limit of one boot and its batches")
	flag.IntVar(&o.slow, "slow", 4, "`factor` of the tests' own time limits")
	flag.BoolVar(&o.verbose, "v", false, "print tests that pass or are skipped, too")
	flag.Parse()
	o.names = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := run(ctx, &o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		status = max(status, 2)
	}
	os.Exit(status)
}

// run boots the machines one after another. It returns the exit status: the worst status of the
// boots, or 1 if the batches are not as they should be.
func run(ctx context.Context, o *options, out io.Writer) (int, error) {
	batches, err := readTable(o.batches, parseBatches)
	if err != nil {
		return 0, err
	}
	accepted, err := readTable(o.skips, parseSkips)
	if err != nil {
		return 0, err
	}
	chosen, err := choose(batches, o.names)
	if err != nil {
		return 0, err
	}
	status := 0
	var reports []*report
	for _, machine := range machines {
		mine := slices.DeleteFunc(slices.Clone(chosen), func(b batch) bool { return b.machine != machine })
		if len(mine) == 0 {
			continue
		}
		p := newParser(out, machine, o.verbose)
		p.telling = os.Getenv("BERTH_PROGRESS") != ""
		code, err := bootMachine(ctx, o, machine, script(o, machine, mine), p)
		if err != nil {
			return status, err
		}
		status = max(status, code)
		reports = append(reports, p.finish(mine)...)
	}
	complaints := judge(reports, accepted, len(o.names) == 0)
	if status == 0 && len(complaints) > 0 {
		status = 1
	}
	var b strings.Builder
	b.WriteString("== summary\n")
	for _, r := range reports {
		b.WriteString(r.summary() + "\n")
	}
	for _, c := range complaints {
		b.WriteString(c + "\n")
	}
	if status == 0 {
		b.WriteString("ok\n")
	}
	_, err = io.WriteString(out, b.String())
	return status, err
}

// bootMachine runs a script in a machine, whose stdout goes to w. It returns the script's status,
// 124 after a timeout, or 125 if the machine has failed.
func bootMachine(ctx context.Context, o *options, machine, script string, w io.Writer) (int, error) {
	seconds := strconv.Itoa(int(o.timeout.Seconds()))
	cmd := exec.CommandContext(ctx, o.boot, "--timeout", seconds, machine, o.payload, script)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	// boot has a machine to end, and files to remove.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	err := cmd.Run()
	if ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// script returns the script for a machine: the batches, with the lines around them that the
// parser recognizes. Its status is 0, since the parser judges the batches.
func script(o *options, machine string, batches []batch) string {
	var s strings.Builder
	// 130 makes criu stop processes without hardware breakpoints. An emulated CPU now and then
	// loses one, for which criu then waits forever; and the kernel, which patches its code for
	// them while both CPUs run it, has crashed.
	s.WriteString("export CRIU_FAULT=130\n")
	// With CI set, whatever a test requires must exist on the machine.
	fmt.Fprintf(&s, "export NAME=%s MODES=%s SLOW=%d ROOTS=busybox PREBUILT=1 VERBOSE=1 CI=true PATH=$PWD/criu/bin:$PATH\n", o.name, cgroupMode(machine), o.slow)
	for _, b := range batches {
		fmt.Fprintf(&s, "echo; echo '%s%s'; start=$SECONDS\n", beginMark, b.name)
		// Use a subshell: the command may change directories and variables, and exit.
		fmt.Fprintf(&s, "(\n%s\n) 2>&1\n", b.command)
		fmt.Fprintf(&s, "status=$?; echo; echo '%s%s' $status $((SECONDS - start))\n", endMark, b.name)
	}
	return s.String() + "exit 0\n"
}
