// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBuildersThread: no other goroutine may ever run on the thread of a builder.
func TestBuildersThread(t *testing.T) {
	// With one P, the next goroutine runs on the thread where another one has just begun to wait.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ours, theirs, err := msgPair()
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil { // the runtime has closed the connection
		t.Fatal(err)
	}
	type threads struct{ builder, next int }
	got := make(chan threads)
	go func() {
		serveBuild(ours)
		next := make(chan int)
		go func() { next <- unix.Gettid() }()
		all := threads{builder: unix.Gettid()}
		all.next = <-next
		got <- all
	}()
	if all := <-got; all.builder == all.next {
		t.Errorf("the thread %d of the builder ran another goroutine", all.builder)
	}
}
