// SPDX-License-Identifier: Apache-2.0

package mask

import (
	"errors"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/mountapi/mounttest"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// inRoot runs body on a thread in a mount namespace of its own, with a root directory that has
// /dev/null, a file and two directories. body must not end its goroutine by t.Fatal.
func inRoot(t *testing.T, body func(dir string, root *reach.Root, id mountapi.FileID)) {
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
		id, err := mountapi.Identify(root.FD())
		if err != nil {
			return err
		}
		body(dir, reach.NewRoot(root, nil), id)
		return nil
	})
}

func makeRoot(dir string) error {
	err := errors.Join(
		os.Mkdir(dir+"/dev", 0o755), os.Mkdir(dir+"/one", 0o755), os.Mkdir(dir+"/two", 0o755),
		os.Symlink("one", dir+"/link"))
	for _, f := range []string{"/dev/null", "/file", "/one/secret", "/two/secret"} {
		err = errors.Join(err, os.WriteFile(dir+f, []byte("secret"), 0o644))
	}
	if err != nil {
		return err
	}
	return unix.Mount("/dev/null", dir+"/dev/null", "", unix.MS_BIND, "")
}

// TestPaths: masked files are empty, and masked directories are empty and read-only. A path is
// masked once, whichever names it has.
func TestPaths(t *testing.T) {
	inRoot(t, func(dir string, root *reach.Root, id mountapi.FileID) {
		if err := Paths(root, id, []string{"/file", "/one", "/link", "/two", "/nowhere", "/file/below"}, configs.MountLabel{}); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile(dir + "/file"); err != nil || len(data) != 0 {
			t.Errorf("file: %q, %v", data, err)
		}
		for _, d := range []string{"/one", "/two"} {
			if all, err := os.ReadDir(dir + d); err != nil || len(all) != 0 {
				t.Errorf("%s: %v, %v", d, all, err)
			}
			if err := os.WriteFile(dir+d+"/new", nil, 0o644); !errors.Is(err, unix.EROFS) {
				t.Errorf("%s: %v", d, err)
			}
		}
		if err := unix.Unmount(dir+"/one", 0); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir + "/one/secret"); err != nil {
			t.Errorf("masked twice: %v", err)
		}
	})
}

// TestRefused: it is an error if a path cannot be hidden, or if /dev/null is unusable.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		path  string
		spoil func(dir string) error
		want  string
	}{
		"root":      {"/", nil, "linux.maskedPaths[1]: /: the root file system itself cannot be masked"},
		"root, up":  {"/one/../..", nil, "linux.maskedPaths[1]: /one/../..: the root file system itself cannot be masked"},
		"null gone": {"/file", func(dir string) error { return unix.Unmount(dir+"/dev/null", 0) }, "linux.maskedPaths[1]: /file: /dev/null of the container is not the null device"},
		"another device": {"/file", func(dir string) error {
			return unix.Mount("/dev/zero", dir+"/dev/null", "", unix.MS_BIND, "")
		}, "linux.maskedPaths[1]: /file: /dev/null of the container is not the null device"},
	} {
		t.Run(name, func(t *testing.T) {
			inRoot(t, func(dir string, root *reach.Root, id mountapi.FileID) {
				if test.spoil != nil {
					if err := test.spoil(dir); err != nil {
						t.Error(err)
					}
				}
				if err := Paths(root, id, []string{"/nowhere", test.path}, configs.MountLabel{}); err == nil || err.Error() != test.want {
					t.Errorf("error %v, want %s", err, test.want)
				}
				if data, err := os.ReadFile(dir + "/file"); err != nil || string(data) != "secret" {
					t.Errorf("file: %q, %v", data, err)
				}
			})
		})
	}
}
