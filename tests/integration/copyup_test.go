// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The memory of the files that tmpcopyup copies is charged to the container, whichever process
// copies them.

const copyLimit = 16 << 20

// filesToCopy creates /data in the image and sets the container's memory limit.
func (c *container) filesToCopy(files, size int) *container {
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

// failsForMemory checks that a create fails because the memory is not enough. With other runtimes
// the copying process is killed, or the limit cannot be set afterwards.
func (r *result) failsForMemory() {
	r.t.Helper()
	text := ""
	if suite.name == "berth" {
		text = "tmpcopyup: the process that copies was killed after "
	}
	r.fails(text, "")
}

// TestCopyUpTooLarge: create fails, and nothing is left behind.
func TestCopyUpTooLarge(t *testing.T) {
	c := newContainer(t).filesToCopy(1, 4*copyLimit).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	for _, command := range []string{"create", "run"} {
		c.write()
		c.command(command, c.id).failsForMemory()
		c.command("state", c.id).fails("does not exist", "")
		c.checkNothingLeft()
	}
}

// TestCopyUpSparse: holes in files stay holes, so a large sparse file fits.
func TestCopyUpSparse(t *testing.T) {
	c := newContainer(t).mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=1m")
	if err := os.MkdirAll(c.rootfs("data"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(c.rootfs("data/lastlog"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("here"), 1<<30)
	if err := errors.Join(err, f.Truncate(2<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	c.sh("stat -c %s /data/lastlog; dd if=/data/lastlog bs=4096 skip=262144 count=1 2>/dev/null | head -c 4; test $(stat -c %b /data/lastlog) -lt 100 && echo ' sparse'")
	want(t, "file", c.output(), "2147483648\nhere sparse")
}

// TestCopyUpNoSpace: if the files do not fit, the error says how much space they need.
func TestCopyUpNoSpace(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k", "nr_inodes=50")
	if err := os.MkdirAll(c.rootfs("data/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/one", "data/sub/two"} {
		if err := os.WriteFile(c.rootfs(name), []byte(strings.Repeat("x", 80000)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c.write()
	c.command("run", c.id).fails("no space left on device (to copy are 163840 bytes in 3 files and directories; the new file system has room for 65536 bytes and 50 files)", "")
	c.checkNothingLeft()
}

// TestCopyUpManyFiles: names need memory too.
func TestCopyUpManyFiles(t *testing.T) {
	c := newContainer(t).filesToCopy(8000, 0).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	limit := int64(4 << 20)
	c.spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	c.write()
	c.command("create", c.id).failsForMemory()
	c.checkNothingLeft()
}

// TestCopyUpCharged: files that fit are charged.
func TestCopyUpCharged(t *testing.T) {
	c := newContainer(t).filesToCopy(1, copyLimit/2).mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
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

// TestCopyUpMountsAdd: the same for a running container.
func TestCopyUpMountsAdd(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).filesToCopy(1, copyLimit/2)
	c.running()
	tmpfs := func(dest string) specs.Mount {
		return specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}
	}
	c.changeMounts("add", []specs.Mount{tmpfs("/data")}).must().silent()
	c.checkCharged(copyLimit / 2)
	before := c.liveMounts()
	// This copies what the mount before has copied.
	c.changeMounts("add", []specs.Mount{tmpfs("/data"), tmpfs("/data")}).fails("tmpcopyup: ", "")
	want(t, "mounts", c.liveMounts(), before)
	c.status(specs.StateRunning)
	want(t, "exec", c.execOut(c.id, "echo", "here"), "here")
}

// TestCopyUpPaused: on cgroup v2 a process that copies would be frozen with the container.
func TestCopyUpPaused(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	only(t, !suite.users.ordinary(), "root, who always has a freezer")
	if err := os.Mkdir(c.rootfs("data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.rootfs("data/file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.running()
	c.command("pause", c.id).must()
	r := c.changeMounts("add", []specs.Mount{{Destination: "/data", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}})
	if suite.unified {
		r.fails("the container is paused", "")
	} else {
		r.must()
	}
	c.status(paused)
	c.command("resume", c.id).must()
	want(t, "file", c.execOut(c.id, "cat", "/data/file"), "content")
	want(t, "copied", fmt.Sprint(strings.Contains(c.liveMounts(), "/data tmpfs")), fmt.Sprint(!suite.unified))
}
