// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConsole: both ends work, and /dev/console is the peer.
func TestConsole(t *testing.T) {
	for _, existing := range []string{"nothing", "file", "node"} {
		t.Run(existing, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				b := start(t, c)
				if err := b.Mount(); err != nil {
					t.Fatal(err)
				}
				name := c.Rootfs.Path + "/dev/console"
				switch existing {
				case "file":
					writeFile(t, name, "")
				case "node":
					if err := unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(5, 1))); err != nil {
						t.Fatal(err)
					}
				}
				master, peer, err := b.Console()
				if err != nil {
					t.Fatal(err)
				}
				defer master.Close()
				defer peer.Close()
				if _, err := b.Enter(); err != nil {
					t.Fatal(err)
				}
				checkConsole(t, master, peer)
			})
		})
	}
}

func checkConsole(t *testing.T, master, peer *os.File) {
	t.Helper()
	console, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	var a, b unix.Stat_t
	if err := unix.Fstat(int(console.Fd()), &a); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(int(peer.Fd()), &b); err != nil {
		t.Fatal(err)
	}
	if a.Rdev != b.Rdev || unix.Major(a.Rdev) != 136 {
		t.Errorf("console is %x, peer %x", a.Rdev, b.Rdev)
	}
	if _, err := os.Stat("/dev/pts/0"); err != nil {
		t.Errorf("the pty is not of the container's devpts: %v", err)
	}
	if _, err := console.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	n, err := master.Read(buf)
	if err != nil || !bytes.Equal(buf[:n], []byte("hello")) {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

// TestConsoleAttacks: files that lead to a console are not what they should be.
func TestConsoleAttacks(t *testing.T) {
	for _, attack := range []struct {
		name  string
		spoil func(t *testing.T, root, host string)
		fails string
	}{
		{
			name:  "console is a link",
			spoil: func(t *testing.T, root, host string) { symlink(t, host+"/secret", root+"/dev/console") },
			fails: "process.terminal: /dev/console: openat console: not a regular file or a device",
		},
		{
			name: "console is a dangling link",
			spoil: func(t *testing.T, root, host string) {
				symlink(t, host+"/new", root+"/dev/console")
			},
			fails: "process.terminal: /dev/console: openat console: not a regular file or a device",
		},
	} {
		t.Run(attack.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				host, err := os.Open(dir + "/host")
				if err != nil {
					t.Fatal(err)
				}
				defer host.Close()
				b := start(t, c)
				if err := b.Mount(); err != nil {
					t.Fatal(err)
				}
				attack.spoil(t, c.Rootfs.Path, dir+"/host")
				before, mounts := snapshot(t, host), hostTable(t, dir)
				_, _, err = b.Console()
				if err == nil || !strings.Contains(err.Error(), attack.fails) {
					t.Errorf("error %v, want %s", err, attack.fails)
				}
				if snapshot(t, host) != before || hostTable(t, dir) != mounts {
					t.Error("the host was touched")
				}
			})
		})
	}
}
