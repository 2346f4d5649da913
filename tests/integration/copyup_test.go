// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// What tmpcopyup copies is memory of the container's, whoever copies it.

const copyLimit = 16 << 20

// copies makes an image with /data, and the container's limit.
func (c *container) copies(files, size int) *container {
	c.t.Helper()
	needController(c.t, "memory")
	if err := os.MkdirAll(c.rootfs("data"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	content := []byte(strings.Repeat("x", size))
	for i := range files {
		if err := os.WriteFile(c.rootfs("data", strconv.Itoa(i)), content, 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	limit := int64(copyLimit)
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
	return c
}

// runsOut checks that a create fails for want of memory. The process of other runtimes that
// copies is killed, or the limit cannot be set afterwards.
func (r *result) runsOut() {
	r.t.Helper()
	text := ""
	if suite.name == "berth" {
		text = "tmpcopyup: the process that copies was killed after "
	}
	r.fails(text, "")
}

// TestCopyUpTooLarge: the container is not made, and nothing is left.
func TestCopyUpTooLarge(t *testing.T) {
	c := newContainer(t).copies(1, 4*copyLimit).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	for _, command := range []string{"create", "run"} {
		c.write()
		c.command(command, c.id).runsOut()
		c.command("state", c.id).fails("does not exist", "")
		c.nothingLeft()
	}
}

// TestCopyUpManyFiles: names take memory as well.
func TestCopyUpManyFiles(t *testing.T) {
	c := newContainer(t).copies(8000, 0).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	limit := int64(4 << 20)
	c.spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	c.write()
	c.command("create", c.id).runsOut()
	c.nothingLeft()
}

// TestCopyUpCharged: what fits in counts.
func TestCopyUpCharged(t *testing.T) {
	c := newContainer(t).copies(1, copyLimit/2).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	c.running()
	c.checkCharged(copyLimit / 2)
}

func (c *container) checkCharged(least int) {
	c.t.Helper()
	file := "memory.usage_in_bytes"
	if suite.unified {
		file = "memory.current"
	}
	if n, err := strconv.Atoi(c.cgroupFile("memory", file)); err != nil || n < least {
		c.t.Errorf("%s: %d, %v, want at least %d", file, n, err, least)
	}
}

// TestCopyUpMountsAdd: the same for a container that runs.
func TestCopyUpMountsAdd(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).copies(1, copyLimit/2)
	c.running()
	tmpfs := func(dest string) specs.Mount {
		return specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}
	}
	c.change("add", []specs.Mount{tmpfs("/data")}).must().silent()
	c.checkCharged(copyLimit / 2)
	before := c.live()
	// A copy of what was copied.
	c.change("add", []specs.Mount{tmpfs("/data"), tmpfs("/data")}).fails("tmpcopyup: ", "")
	want(t, "mounts", c.live(), before)
	c.status(specs.StateRunning)
	want(t, "exec", c.execOut(c.id, "echo", "here"), "here")
}

// TestCopyUpPaused: on cgroup v2 who copies would stand still with the container.
func TestCopyUpPaused(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	only(t, !suite.users.ordinary(), "root, who has a freezer in any mode")
	if err := os.Mkdir(c.rootfs("data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.rootfs("data/file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.running()
	c.command("pause", c.id).must()
	r := c.change("add", []specs.Mount{{Destination: "/data", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}})
	if suite.unified {
		r.fails("the container is paused", "")
	} else {
		r.must()
	}
	c.status(paused)
	c.command("resume", c.id).must()
	want(t, "file", c.execOut(c.id, "cat", "/data/file"), "content")
	want(t, "copied", fmt.Sprint(strings.Contains(c.live(), "/data tmpfs")), fmt.Sprint(!suite.unified))
}
