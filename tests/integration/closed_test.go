// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// foreignRoot gives the root file system, without its mount points, back to the host's root,
// although the container has a user namespace. It also denies access to the directory above it.
func (c *container) foreignRoot() *container {
	c.t.Helper()
	if err := os.Chown(c.rootfs(), 0, 0); err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"dev", "proc", "sys", "tmp", "etc/hosts"} {
		if err := os.RemoveAll(c.rootfs(name)); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(c.rootfs()), 0o700); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// TestForeignRoot: with a user namespace, the container's root may have no access to the
// directory above the root file system, and the owner of that may not be mapped. The runtime
// opens it and creates what is missing, at the first and at the second start.
func TestForeignRoot(t *testing.T) {
	onlyBerth(t)
	for _, propagation := range []string{"", "private", "rslave", "rshared"} {
		c := newContainer(t).userns().foreignRoot()
		if err := os.Mkdir(c.rootfs("closed"), 0o700); err != nil {
			t.Fatal(err)
		}
		c.mount("/closed/tmp", "tmpfs", "tmpfs").mount("/closed/tmp/dir", "tmpfs", "tmpfs").
			mount("/closed/tmp/file", "bind", "/etc/hosts", "bind")
		c.spec.Linux.RootfsPropagation = propagation
		c.spec.Process.Cwd = "/made/cwd"
		c.mount("/deep/down", "tmpfs", "tmpfs").mount("/etc/hosts", "bind", "/etc/hosts", "bind", "ro").
			mount("/link", "bind", c.path("link"), "bind", "copy-symlink")
		if err := os.Symlink("/target", c.path("link")); err != nil {
			t.Fatal(err)
		}
		c.device("/nodes/null", "c", 1, 3, 0o666, 0)
		c.sh("pwd; readlink /link; echo x >/deep/down/x && echo written; head -c 3 /etc/hosts; stat -c ' %t:%T' /nodes/null; ls -d /proc/1 /dev/null /sys/kernel")
		out := "/made/cwd\n/target\nwritten\n127 1:3\n/dev/null\n/proc/1\n/sys/kernel"
		want(t, "first run, propagation "+propagation, c.output(), out)
		c.command("delete", "--force", c.id)
		want(t, "second run, propagation "+propagation, c.output(), out)
	}
}

// TestForeignRootDev: the same for devices and links if /dev is a directory of the root file
// system.
func TestForeignRootDev(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns().foreignRoot()
	var mounts []specs.Mount
	for _, m := range c.spec.Mounts {
		if filepath.Dir(m.Destination) != "/dev" && m.Destination != "/dev" {
			mounts = append(mounts, m)
		}
	}
	c.spec.Mounts = mounts
	c.device("/dev/of-mine", "c", 1, 5, 0o640, 7)
	c.sh("readlink /dev/ptmx; readlink /dev/fd; stat -c '%a %u %t:%T' /dev/of-mine; stat -c %t:%T /dev/null; echo x >/dev/null && echo written")
	out := "pts/ptmx\n/proc/self/fd\n640 7 1:5\n1:3\nwritten"
	want(t, "first run", c.output(), out)
	c.command("delete", "--force", c.id)
	want(t, "second run", c.output(), out)
}

// TestForeignRootTerminal: the same for /dev/console.
func TestForeignRootTerminal(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns().foreignRoot()
	c.spec.Process.Terminal = true
	c.sh("test -c /dev/console && tty")
	c.write()
	want(t, "output", strings.TrimSpace(c.fromTerminal("run", c.id).must().out), "/dev/pts/0")
}

// TestForeignVolume: the runtime creates mount points for a container's root only below the path
// as it is in the config, not behind a link in a volume that leads to another volume.
func TestForeignVolume(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns().foreignRoot()
	ours, theirs := c.path("ours"), c.path("theirs")
	for dir, owner := range map[string]int{ours: firstID, theirs: 0} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../theirs", filepath.Join(ours, "link")); err != nil {
		t.Fatal(err)
	}
	mounts := c.spec.Mounts
	volumes := func(point string) *container {
		c.spec.Mounts = append([]specs.Mount(nil), mounts...)
		return c.mount("/ours", "bind", ours, "bind").mount("/theirs", "bind", theirs, "bind").mount(point, "tmpfs", "tmpfs")
	}
	volumes("/ours/link/evil").sh("true").run().fails("/ours/link/evil: invalid cross-device link (a symbolic link in it leads to a mount that the container's root may not enter)", "")
	if left, err := os.ReadDir(theirs); err != nil || len(left) > 0 {
		t.Errorf("the other volume has %v, %v", left, err)
	}
	volumes("/theirs/named").sh("echo x >/theirs/named/x && echo written")
	want(t, "a mount point by its own name", c.output(), "written")
}

// TestClosedDirectory: if nobody has the right, the error names the directory.
func TestClosedDirectory(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns()
	if err := os.Chown(c.rootfs(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.rootfs(), 0o700); err != nil {
		t.Fatal(err)
	}
	c.sh("true").run().fails("root.path: permission denied (the directory "+c.rootfs()+", of user 65534 and group 65534 with mode 0700, may not be entered)", "")
}

// TestClosedToUser: the same for directories of an ordinary user's paths.
func TestClosedToUser(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.ordinary(), "an ordinary user")
	c := newContainer(t)
	closed := c.path() + "-closed" // c.path() is the user's
	t.Cleanup(func() { _ = os.RemoveAll(closed) })
	if err := os.MkdirAll(filepath.Join(closed, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	said := "permission denied (the directory " + closed + ", of user "
	c.mount("/x", "bind", filepath.Join(closed, "in"), "bind").sh("true").run().fails(said, "")
	c = newContainer(t).sh("true")
	c.spec.Root.Path = filepath.Join(closed, "in")
	c.run().fails(said, "")
}
