// SPDX-License-Identifier: Apache-2.0

// Package osthread runs what changes the thread that it runs on, by setns(2) or
// unshare(2), on a thread that nothing else will ever run on.
package osthread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f on an OS thread of its own, which ends with f. It is never the main
// thread: /proc/self and the thread-group leader would be where f has gone, and the
// main thread, unlike others, does not end.
func Go(f func()) { go leaveMain(f) }

// leaveMain runs f here, or on another thread if this is the main one.
func leaveMain(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f() // and never unlocked
		return
	}
	// As long as this waits, nobody gets the main thread.
	has := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		close(has)
		f()
	}()
	<-has
	runtime.UnlockOSThread()
}
