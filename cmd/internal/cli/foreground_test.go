// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os/signal"
	"testing"

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
		{sigRTMin, true, true},
		{sigRTMax, true, true},
		{unix.SIGKILL, false, false},
		{unix.SIGSTOP, false, false},
		{unix.SIGCHLD, false, false},
		{unix.SIGURG, false, false},
		{unix.SIGWINCH, false, true},
		{unix.SIGTTOU, true, false},
		{unix.SIGTTIN, true, false},
	}
	for _, test := range tests {
		if got := forwardable(test.sig, false); got != test.plain {
			t.Errorf("%v without a terminal: %v", test.sig, got)
		}
		if got := forwardable(test.sig, true); got != test.onTerminal {
			t.Errorf("%v on a terminal: %v", test.sig, got)
		}
	}
}

func TestCatchSignals(t *testing.T) {
	s := catchUsual()
	s.await()
	defer signal.Stop(s.ch)
	s.catchAll(false)
	if err := unix.Kill(unix.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := <-s.ch; got != unix.SIGUSR1 {
		t.Errorf("caught %v", got)
	}
}
