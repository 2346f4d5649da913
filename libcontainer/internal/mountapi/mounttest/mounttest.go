// SPDX-License-Identifier: Apache-2.0

// Package mounttest has a place where tests can mount.
package mounttest

import (
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"golang.org/x/sys/unix"
)

// Run calls body on a thread in a mount namespace of its own, from which nothing propagates to
// the host. dir is an empty directory, which is removed by another thread: it does not see what
// is mounted there. body must not end its goroutine by t.Fatal. The test is skipped without root.
func Run(t *testing.T, body func(dir string) error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root, to mount")
	}
	dir := t.TempDir()
	done := make(chan error)
	osthread.Go(func() {
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		}
		if err == nil {
			err = body(dir)
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Error(err)
	}
}
