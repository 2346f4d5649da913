// SPDX-License-Identifier: Apache-2.0

package mountapi

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts gives the test a mount namespace, on a thread that ends with it. It requires root.
func ownMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
}

func TestContext(t *testing.T) {
	ownMounts(t)
	c, err := NewContext("tmpfs")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The kernel's own message is in the error.
	err = c.SetOption("mode=xyz")
	if !errors.Is(err, unix.EINVAL) || err.Error() != "fsconfig mode=xyz: invalid argument (tmpfs: Bad value for 'mode')" {
		t.Errorf("error %v", err)
	}
	for _, o := range []string{"source=here", `size="64k"`, "ro"} {
		if err := c.SetOption(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Create(); err != nil {
		t.Fatal(err)
	}
	tree, err := c.Mount(unix.MOUNT_ATTR_NODEV)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tree)
	dir := t.TempDir()
	target, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(target)
	if err := MoveMount(tree, target); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(dir+"/x", nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("error %v, want EROFS", err)
	}
	table, err := os.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	// Blanks separate the columns.
	if want := "here " + strings.ReplaceAll(dir, " ", `\040`) + " tmpfs ro,nodev,relatime,size=64k"; !strings.Contains(string(table), want) {
		t.Errorf("no %q in\n%s", want, table)
	}
}

func TestOpenTree(t *testing.T) {
	ownMounts(t)
	if _, err := OpenTree("/no/such/path", true); err == nil || err.Error() != "open_tree /no/such/path: no such file or directory" {
		t.Errorf("error %v", err)
	}
	tree, err := OpenTree("/", false)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tree)
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	a, err := ID(tree)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ID(root)
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Errorf("the clone has the id %d of its original", a)
	}
}

func TestHaveSetAttr(t *testing.T) {
	have := HaveSetAttr() == nil
	err := SetAttr(-1, false, Attr{Set: unix.MOUNT_ATTR_RDONLY})
	if want := !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM); have != want {
		t.Errorf("probe says %v, the call %v", have, err)
	}
}
