// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// holdSignals keeps the signals that end a command from ending it while criu has the
// container in its hands, which takes a moment: neither a program nor the freezer may be
// left half-way. Where criu waits for somebody, for as long as they like, a signal ends
// criu instead. What is returned gives the signals back.
func (r *criuRun) holdSignals(waits bool) (stop func()) {
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	if !waits {
		return func() { signal.Stop(signals) }
	}
	started := make(chan *os.Process, 1)
	r.task.Started = func(criu *os.Process) error {
		started <- criu
		return nil
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		select {
		case criu := <-started:
			_ = criu.Kill() // or it has ended by itself
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
