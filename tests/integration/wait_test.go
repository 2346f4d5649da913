// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestWait(t *testing.T) {
	for script, status := range map[string]string{"exit 0": "0", "exit 7": "7", "kill -TERM $$": "143"} {
		t.Run(strings.ReplaceAll(script, " ", "_"), func(t *testing.T) {
			c := newContainer(t)
			in := c.fifo("in")
			// A shell that is process 1 of a pid namespace cannot kill itself.
			c.without(specs.PIDNamespace)
			c.sh("read x </in; " + script).create().start()
			r := c.launch(nil, "wait", c.id)
			if r.err != nil {
				t.Fatal(r.err)
			}
			in.send("go")
			res, err := c.finish(r)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "status", res.must().out, status+"\n")
			// The process has still not been reaped.
			want(t, "status", c.command("wait", c.id).must().out, status+"\n")
			c.wait()
			c.command("wait", c.id).fails("container not running", "")
		})
	}
}

// TestWaitBeforeTheParent: wait prints the status, whichever process reaps the container first.
func TestWaitBeforeTheParent(t *testing.T) {
	c := newContainer(t)
	if !kernelAtLeast(t, 6, 15) {
		t.Skip("requires Linux 6.15")
	}
	in := c.fifo("in")
	c.sh("read x </in; exit 9").create().start()
	r := c.launch(nil, "wait", c.id)
	if r.err != nil {
		t.Fatal(r.err)
	}
	awaitPidfd(t, r.cmd.Process.Pid)
	in.send("go")
	c.wait()
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "status", res.must().out, "9\n")
}

// awaitPidfd waits until a process has opened a pidfd, of which there is no event.
func awaitPidfd(t *testing.T, pid int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	for deadline := time.Now().Add(suite.limit); time.Now().Before(deadline); _, _ = unix.Poll(nil, 1) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if link, _ := os.Readlink(dir + e.Name()); strings.Contains(link, "pidfd") {
				return
			}
		}
	}
	t.Fatal("no pidfd")
}
