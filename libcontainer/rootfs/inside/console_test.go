// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"errors"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// TestConsole: both ends belong to the devpts of the container, and data written to one end can
// be read from the other.
func TestConsole(t *testing.T) {
	inRoot(t, func(t *testing.T, dir string, root *inroot.Root) {
		if err := unix.Mount("devpts", dir+"/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666"); err != nil {
			t.Error(err)
			return
		}
		master, peer, err := Console(root)
		if err != nil {
			t.Error(err)
			return
		}
		defer master.Close()
		defer peer.Close()
		if peer.Name() != "/dev/pts/0" {
			t.Errorf("the peer is %s", peer.Name())
		}
		var named, opened unix.Stat_t
		if err := errors.Join(unix.Stat(dir+peer.Name(), &named), unix.Fstat(int(peer.Fd()), &opened)); err != nil {
			t.Error(err)
		}
		if named.Rdev != opened.Rdev || named.Dev != opened.Dev || unix.Major(opened.Rdev) != 136 {
			t.Errorf("the peer is %x on %x, its name %x on %x", opened.Rdev, opened.Dev, named.Rdev, named.Dev)
		}
		if _, err := peer.WriteString("hello"); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 16)
		if n, err := master.Read(buf); err != nil || string(buf[:n]) != "hello" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	})
}

// TestConsoleAttacks: /dev/pts is not a proper devpts.
func TestConsoleAttacks(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(pts string) error
		fails string
	}{
		"no devpts": {func(pts string) error {
			return errors.Join(
				unix.Mount("tmpfs", pts, "tmpfs", 0, ""),
				unix.Mknod(pts+"/ptmx", unix.S_IFCHR|0o666, int(unix.Mkdev(5, 2))))
		}, "process.terminal: /dev/pts is not a devpts"},
		"ptmx is covered": {func(pts string) error {
			return unix.Mount("/dev/null", pts+"/ptmx", "", unix.MS_BIND, "")
		}, "process.terminal: openat2 /dev/pts/ptmx: invalid cross-device link"},
	} {
		t.Run(name, func(t *testing.T) {
			inRoot(t, func(t *testing.T, dir string, root *inroot.Root) {
				if err := test.spoil(dir + "/dev/pts"); err != nil {
					t.Error(err)
				}
				if _, _, err := Console(root); err == nil || err.Error() != test.fails {
					t.Errorf("error %v, want %s", err, test.fails)
				}
			})
		})
	}
}
