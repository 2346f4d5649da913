// SPDX-License-Identifier: Apache-2.0

// Command progress says what a long piece of work is doing and how far it is, beside what
// the work prints: on a terminal in a line that is written over in place, elsewhere, so in a
// log, in a line of its own when nothing was printed for half a minute, without control
// characters.
//
// It runs the command that it is given, or, without one, copies its stdin. Work says how far
// it is by lines of the form "@progress DONE TOTAL WHAT", which are not copied;
// BERTH_PROGRESS=1 in its environment says that somebody reads them. Its one invariant: it
// loses no other line, and its exit status is the command's.
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
	flag.StringVar(&o.label, "label", "", "what is being done")
	flag.StringVar(&o.log, "log", "", "write all lines to this `file`, and show only the last one")
	flag.DurationVar(&o.every, "every", 30*time.Second, "longest silence in a log")
	flag.BoolVar(&o.gotest, "gotest", false, "the lines are those of a test binary with -test.v: show what fails")
	flag.IntVar(&o.total, "total", 0, "how many tests there are, for -gotest")
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
	// A terminal's ^C is for the work, whose last words are to be read.
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
		// What it has started may go on, and have the pipe open.
		ended <- errors.Join(err, r.SetReadDeadline(time.Now().Add(patience)))
	}()
	if err = d.copyAll(r); errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	waitErr := <-ended
	return status, errors.Join(err, waitErr)
}

// patience is for the last lines of a command that has ended.
const patience = time.Second

// start starts the command, which ends with this process, and is told of a SIGTERM.
func start(args []string, out *os.File) (wait func() (int, error), err error) {
	// The signal of the parent's death is that of the thread's.
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

// copyAll shows the lines of r, and how far they are, until it ends.
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

// width is the terminal's, or 0 where f is none.
func width(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	// What has no size is as wide as the first ones were.
	if size.Col == 0 {
		return 80
	}
	return int(size.Col)
}
