// SPDX-License-Identifier: Apache-2.0

package foreground

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/cmd/internal/signame"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
	"golang.org/x/sys/unix"
)

func TestForwardable(t *testing.T) {
	tests := []struct {
		sig               unix.Signal
		plain, onTerminal bool
	}{
		{unix.SIGTERM, true, true},
		{unix.SIGINT, true, true},
		{unix.SIGTSTP, true, true},
		{unix.SIGPIPE, true, true},
		{unix.SIGSEGV, true, true},
		{34, true, true},
		{signame.Max, true, true},
		{unix.SIGKILL, false, false},
		{unix.SIGSTOP, false, false},
		{unix.SIGCHLD, false, false},
		{unix.SIGURG, false, false},
		{unix.SIGWINCH, false, true},
		{unix.SIGTTOU, true, false},
		{unix.SIGTTIN, true, false},
	}
	for _, test := range tests {
		if got := slices.Contains(forwardable(false), test.sig); got != test.plain {
			t.Errorf("%v without a terminal: %v", test.sig, got)
		}
		if got := slices.Contains(forwardable(true), test.sig); got != test.onTerminal {
			t.Errorf("%v on a terminal: %v", test.sig, got)
		}
	}
}

// fakeChild ends when it has received three signals.
type fakeChild struct {
	got   []unix.Signal
	reaps int
	over  error
}

func (c *fakeChild) Reap() (int, bool, error) {
	c.reaps++
	if c.reaps == 1 {
		// This is between the first check and the first wait.
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGCHLD, unix.SIGSEGV, unix.SIGTERM} {
			if err := unix.Kill(unix.Getpid(), sig); err != nil {
				return 0, false, err
			}
		}
	}
	return 7, len(c.got) == 3, nil
}

func (c *fakeChild) Signal(sig unix.Signal) error {
	c.got = append(c.got, sig)
	return c.over
}

func TestAttend(t *testing.T) {
	for _, over := range []error{nil, libcontainer.ErrNotRunning, errors.New("no right to")} {
		reader, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		log := report.New(w, "berth")
		caught, err := Catch()
		if err != nil {
			t.Fatal(err)
		}
		c := &fakeChild{over: over}
		status, err := Attend(c, caught, &terminal.Terminal{Stdin: os.Stdin, Stdout: os.Stdout}, log)
		if err := caught.Release(); err != nil {
			t.Error(err)
		}
		if err != nil || status != 7 {
			t.Errorf("status %d, %v", status, err)
		}
		// Several signals at once may come in any order.
		slices.Sort(c.got)
		if want := []unix.Signal{unix.SIGUSR1, unix.SIGSEGV, unix.SIGTERM}; !slices.Equal(c.got, want) {
			t.Errorf("got %v, want %v", c.got, want)
		}
		if over == nil || errors.Is(over, libcontainer.ErrNotRunning) {
			continue
		}
		text := make([]byte, 1000)
		if n, err := reader.Read(text); err != nil || n == 0 {
			t.Errorf("the error was not logged: %v", err)
		}
	}
}
