// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestTimerSlack: a container, what exec adds and the hooks have the timer slack with which the
// runtime was started, whatever the runtime gives its own threads.
func TestTimerSlack(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with its timer slack
	const slack = "70000"
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 70000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	const show = "cat /proc/self/timerslack_ns"
	c := newContainer(t).sh(show)
	out := c.path("hook")
	c.spec.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", show + " >" + out}}}}
	want(t, "in the container", c.output(), slack)
	hook, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "in a hook", squeeze(string(hook)), slack)
	d := newContainer(t).running()
	want(t, "in exec", squeeze(d.command("exec", d.id, "sh", "-c", show).must().out), slack)
}
