// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"fmt"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi/mounttest"
	"golang.org/x/sys/unix"
)

// inRoot runs body on a thread in a mount namespace of its own, with a root directory that has a
// user, and the host's /dev, /proc and /sys. body must not end its goroutine by t.Fatal: its thread
// ends with it.
func inRoot(t *testing.T, body func(t *testing.T, dir string, root *inroot.Root)) {
	t.Helper()
	mounttest.Run(t, func(dir string) error {
		if err := makeRoot(dir); err != nil {
			return err
		}
		root, err := inroot.Open(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		body(t, dir, root)
		return nil
	})
}

func makeRoot(dir string) error {
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
