// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

func TestHomeOf(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\n" +
		"# comment\n\n:::::\nshort:x:5\n" +
		"minus:x:-1:0::/minus:\nplus:x:+6:0::/plus:\nbig:x:4294967296:0::/big:\n" +
		"bob:x:1000:1000:Bob,,,:/home/bob:/bin/sh\n" +
		"again:x:1000:1000::/second:\n" +
		"empty:x:7:7:::\n" +
		"nul:x:8:8::/a\x00b:\n" +
		"last:x:9:9::/last"
	for uid, want := range map[uint32]string{
		0: "/root", 1000: "/home/bob", 5: "/", 6: "/", 7: "/", 8: "/", 9: "/last", 4294967295: "/", 77: "/",
	} {
		if got := homeOf([]byte(passwd), uid); got != want {
			t.Errorf("%d: %q, want %q", uid, got, want)
		}
	}
}

func FuzzHomeOf(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\n"), uint32(0))
	f.Add([]byte(":::::\x00"), uint32(7))
	f.Fuzz(func(t *testing.T, passwd []byte, uid uint32) {
		home := homeOf(passwd, uid)
		if home == "" || strings.ContainsAny(home, "\x00\n:") {
			t.Errorf("%q", home)
		}
	})
}

// TestHome: the container's /etc/passwd may be something other than a small regular file.
func TestHome(t *testing.T) {
	link := func(target string) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			if err := errors.Join(os.Remove(name), os.Symlink(target, name)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T, name string)
		want string
		err  string
	}{
		{"missing", func(_ *testing.T, name string) { os.Remove(name) }, "/", ""},
		{"link", func(t *testing.T, name string) {
			err := errors.Join(os.Remove(name), os.Symlink("/etc/passwd.real", name),
				os.WriteFile(name+".real", []byte("r:x:0:0::/linked:\n"), 0o644))
			if err != nil {
				t.Error(err)
			}
		}, "/linked", ""},
		{"empty", func(t *testing.T, name string) {
			if err := os.Truncate(name, 0); err != nil {
				t.Error(err)
			}
		}, "/", ""},
		{"fifo", func(t *testing.T, name string) {
			os.Remove(name)
			if err := unix.Mkfifo(name, 0o644); err != nil {
				t.Error(err)
			}
		}, "", "not a regular file"},
		{"directory", func(t *testing.T, name string) {
			if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o755)); err != nil {
				t.Error(err)
			}
		}, "", "not a regular file"},
		{"endless", func(t *testing.T, name string) {
			if err := os.Truncate(name, 1<<40); err != nil {
				t.Error(err)
			}
		}, "", "file too large"},
		{"device", link("/dev/zero"), "", "not a regular file"},
		{"kernel log", link("/proc/kmsg"), "", "a file of the kernel's"},
		{"memory", link("/proc/self/mem"), "", "a file of the kernel's"},
		{"kernel object", link("/sys/kernel/notes"), "", "a file of the kernel's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inRoot(t, func(t *testing.T, dir string, root *inroot.Root) {
				test.make(t, dir+"/etc/passwd")
				proc, err := procfs.Host()
				if err != nil {
					t.Error(err)
					return
				}
				defer proc.Close()
				home, err := Home(root, proc, 0)
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), "/etc/passwd: ") || !strings.Contains(err.Error(), test.err) {
						t.Errorf("%q, %v, want an error with %q", home, err, test.err)
					}
					return
				}
				if err != nil || home != test.want {
					t.Errorf("%q, %v, want %q", home, err, test.want)
				}
			})
		})
	}
}
