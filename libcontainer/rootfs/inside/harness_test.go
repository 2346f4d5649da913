// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// inRoot runs body on a thread in a mount namespace of its own, with a root directory that has a
// user, and the host's /dev, /proc and /sys. body must not end its goroutine by t.Fatal: its thread
// ends with it.
func inRoot(t *testing.T, body func(t *testing.T, dir string, root *inroot.Root)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root, to mount")
	}
	dir := t.TempDir()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread cannot be used again
		if err := enterRoot(dir); err != nil {
			t.Error(err)
			return
		}
		root, err := inroot.Open(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer root.Close()
		body(t, dir, root)
	}()
	<-done
}

func enterRoot(dir string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	for _, d := range []string{"/dev", "/proc", "/sys"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(d, dir+d, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s: %w", d, err)
		}
	}
	if err := os.Mkdir(dir+"/etc", 0o755); err != nil {
		return err
	}
	return os.WriteFile(dir+"/etc/passwd", []byte("root:x:0:0::/root:/bin/sh\n"), 0o644)
}
