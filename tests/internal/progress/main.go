// SPDX-License-Identifier: Apache-2.0

// Command progress reports the progress of a long piece of work, in addition to the output of
// that. On a terminal the report is a line that is overwritten. In a log it is a new line,
// without control characters, if nothing was printed for half a minute.
//
// It runs the given command, or copies its stdin if there is none. The work reports progress in
// lines of the form "@progress DONE TOTAL WHAT", which are not copied. BERTH_PROGRESS=1 in its
// environment means that they are read. Its one invariant: it loses no other line, and its exit
// status is that of the command.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type options struct {
	label, log string
	every      time.Duration
	gotest     bool
	total      int
}

func main() {
	var o options
	flag.StringVar(&o.label, "label", "", "`name` of the work")
	flag.StringVar(&o.log, "log", "", "write all lines to this `file`, and show only the last one")
	flag.DurationVar(&o.every, "every", 30*time.Second, "longest silence in a log")
	flag.BoolVar(&o.gotest, "gotest", false, "the lines are those of a test binary with -test.v: show only failures")
	flag.IntVar(&o.total, "total", 0, "`number` of tests, for -gotest")
	flag.Parse()
	status, err := run(&o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "progress:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// run copies and reports until the work ends.
func run(o *options, args []string) (status int, err error) {
	// A ^C on the terminal is for the work, and its last output must still be read.
	signal.Ignore(os.Interrupt)
	d := newDisplay(o)
	if o.log != "" {
		f, err := os.Create(o.log)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		d.log = f
	}
	if len(args) == 0 {
		return 0, d.copyAll(os.Stdin)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	wait, err := start(args, w)
	w.Close()
	if err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		status, err = wait()
		// Child processes may continue, and keep the pipe open.
		ended <- errors.Join(err, r.SetReadDeadline(time.Now().Add(patience)))
	}()
	if err = d.copyAll(r); errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	waitErr := <-ended
	return status, errors.Join(err, waitErr)
}

// patience is how long to wait for the last lines of a command that has ended.
const patience = time.Second

// start starts the command. It is killed if this process ends, and gets its SIGTERM.
func start(args []string, out *os.File) (wait func() (int, error), err error) {
	// The parent-death signal is tied to the parent's thread.
	runtime.LockOSThread()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, out
	cmd.Env = append(os.Environ(), "BERTH_PROGRESS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	signal.Reset(os.Interrupt)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	signal.Ignore(os.Interrupt)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		for s := range term {
			_ = cmd.Process.Signal(s)
		}
	}()
	return func() (int, error) {
		err := cmd.Wait()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
				return 128 + int(ws.Signal()), nil
			}
			return exit.ExitCode(), nil
		}
		return 0, err
	}, nil
}

// copyAll shows the lines of r and their progress, until r ends.
func (d *display) copyAll(r io.Reader) error {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		in := bufio.NewReader(r)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				failed <- err
				return
			}
		}
	}()
	tick := time.NewTicker(d.tick())
	defer tick.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				d.finish()
				return <-failed
			}
			d.line(line)
		case now := <-tick.C:
			d.remind(now)
		}
	}
}

// width returns the width of the terminal; 0 if f is not a terminal.
func width(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	// A terminal without a size gets the width of the first terminals.
	if size.Col == 0 {
		return 80
	}
	return int(size.Col)
}
