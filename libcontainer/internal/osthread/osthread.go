// SPDX-License-Identifier: Apache-2.0

// Package osthread runs code that changes its thread, by setns(2) or unshare(2), on a thread on
// which nothing else will ever run.
package osthread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f on its own OS thread, which ends with f. It is never the main thread: /proc/self
// and the thread-group leader would be in the namespaces that f enters, and the main thread,
// unlike others, does not end.
func Go(f func()) { go leaveMain(f) }

// leaveMain runs f here, or on another thread if this is the main one.
func leaveMain(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f() // and never unlocked
		return
	}
	// As long as this waits, nothing else runs on the main thread.
	has := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		close(has)
		f()
	}()
	<-has
	runtime.UnlockOSThread()
}
