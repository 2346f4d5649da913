// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChroot: the runtime itself is in a chroot, and its paths are those in there. Nothing of what is
// around the chroot is in the container's mount namespace, which exec enters as well.
func TestChroot(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "chroot(2) for the runtime, in which the kernel makes no user namespace")
	c := newContainer(t)
	jail := t.TempDir()
	// A mount point, because the kernel pivots nowhere else, with the machine's files at the same
	// paths, and one of its own.
	if err := unix.Mount("/", jail, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(jail, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Mount("", jail, "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	own := jail + c.path("volume")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", own, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own+"/in-the-jail", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) *result {
		t.Helper()
		return c.mustFinish(c.exec(nil, "chroot", append(append([]string{jail, suite.runtime}, c.globals()...), args...)...))
	}
	c.mount("/volume", "bind", c.path("volume"), "bind")
	c.sh("ls /volume; cut -d' ' -f5 /proc/self/mountinfo").write()
	r := inside("run", "--bundle", c.dir, c.id).must()
	if !strings.HasPrefix(r.out, "in-the-jail\n/\n") || strings.Contains(r.out, c.dir) {
		t.Errorf("output %q", r.out)
	}
	c.args("sleep", "1000").write()
	inside("create", "--bundle", c.dir, c.id).must()
	inside("start", c.id).must()
	r = inside("exec", c.id, "/bin/sh", "-c", "ls /volume; ! test -e "+c.dir+" || echo the host").must()
	if r.out != "in-the-jail\n" {
		t.Errorf("exec sees %q", r.out)
	}
	inside("delete", "--force", c.id).must()
}
