// SPDX-License-Identifier: Apache-2.0

package osthread

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// init keeps TestMain on the main thread.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	tid := make(chan int, 1)
	leaveMain(func() { tid <- unix.Gettid() })
	if got := <-tid; got == unix.Getpid() {
		fmt.Println("leaveMain: ran on the main thread")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestGoUsesNoThreadAgain(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 20 {
		tid := make(chan int)
		Go(func() { tid <- unix.Gettid() })
		if got := <-tid; got == unix.Getpid() || got == unix.Gettid() {
			t.Fatalf("ran on thread %d, which is in use", got)
		}
	}
}

func TestThreadEndsWithTheFunction(t *testing.T) {
	tid := make(chan int)
	Go(func() { tid <- unix.Gettid() })
	task := filepath.Join("/proc/self/task", strconv.Itoa(<-tid))
	for {
		if _, err := os.Stat(task); os.IsNotExist(err) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched() // the deadline is that of go test
	}
}
