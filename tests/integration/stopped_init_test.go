// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDeleteWhatStartWaitsFor: somebody has stopped the container's first process with SIGSTOP,
// and a start waits for it. delete --force does not wait for that start.
func TestDeleteWhatStartWaitsFor(t *testing.T) {
	only(t, suite.name != "crun", "runtimes other than crun, whose start does not wait")
	c := newContainer(t).args("true").create()
	if err := unix.Kill(c.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	opened := watchOpen(t, c.path("state", c.id, "exec.fifo"))
	start := c.launch(nil, "start", c.id)
	opened()
	c.command("delete", "--force", c.id).must()
	r, err := c.finish(start)
	if err != nil {
		t.Fatal(err)
	}
	if r.status == 0 {
		t.Error("the start of a container that was deleted succeeded")
	}
}

// watchOpen watches a file. The function that it returns waits until the file is opened.
func watchOpen(t *testing.T, path string) (wait func()) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return func() {
		t.Helper()
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(fds, int(suite.limit.Milliseconds()))
			if err == nil && n == 1 {
				return
			}
			if !errors.Is(err, unix.EINTR) {
				t.Fatalf("nobody opens %s: %v", path, err)
			}
		}
	}
}
