// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"os"
	"os/signal"
	"testing"

	"github.com/berth-run/berth/libcontainer/signals"
	"golang.org/x/sys/unix"
)

func keepInterrupts(t *testing.T) *Interrupts {
	t.Helper()
	if !signals.Supported() {
		t.Skip("requires handlers of signals")
	}
	// Under nohup(1) the signal is ignored, and would stay ignored.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	t.Cleanup(func() { signal.Reset(unix.SIGHUP) })
	i, err := KeepInterrupts()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Release(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func isInterrupted(err error) bool { return err != nil && err.Error() == "interrupted by SIGHUP" }

// A signal stops nested calls of During, and neither of them waits for the other.
func TestInterruptsDuring(t *testing.T) {
	other := errors.New("another error")
	for _, interrupted := range []bool{false, true} {
		i := keepInterrupts(t)
		stopped := make(chan string, 2)
		inner := func() error {
			if err := i.During(func() error { return other }, func() { t.Error("stopped a function that had ended") }); !errors.Is(err, other) {
				t.Errorf("before: %v", err)
			}
			return i.During(func() error {
				if interrupted {
					if err := unix.Kill(unix.Getpid(), unix.SIGHUP); err != nil {
						return err
					}
					if first, second := <-stopped, <-stopped; first+second != "outerinner" {
						t.Errorf("stopped %s, then %s", first, second)
					}
				}
				return other
			}, func() { stopped <- "inner" })
		}
		err := i.During(inner, func() { stopped <- "outer" })
		if interrupted != isInterrupted(err) || !interrupted && !errors.Is(err, other) {
			t.Errorf("interrupted: %v, and the error is %v", interrupted, err)
		}
		if err := i.Check(); interrupted != isInterrupted(err) {
			t.Errorf("interrupted: %v, and the check says %v", interrupted, err)
		}
		// Functions that undo something are not stopped, and return their own error.
		if err := i.During(func() error { return other }, func() { t.Error("stopped") }); !errors.Is(err, other) {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func TestInterruptsCheck(t *testing.T) {
	var none *Interrupts
	if err := errors.Join(none.Check(), none.Release(), none.During(func() error { return nil }, nil)); err != nil {
		t.Error(err)
	}
	i := keepInterrupts(t)
	if err := i.Check(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(unix.Getpid(), unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	err := i.Check()
	for err == nil { // another thread may still be delivering the signal
		err = i.Check()
	}
	if !isInterrupted(err) || !isInterrupted(i.Check()) {
		t.Errorf("got %v", err)
	}
}
