// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// TestOpen: missing mount points are created, and paths that no mount may hide are refused. The
// root is that of the test.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(
		os.Mkdir(dir+"/dir", 0o755), os.WriteFile(dir+"/file", nil, 0o644),
		os.Symlink("/proc/self", dir+"/link"), os.Symlink("dir", dir+"/alias"))
	if err != nil {
		t.Fatal(err)
	}
	root, id := open(t)
	for _, test := range []struct {
		destination, fstype string
		dir                 bool
		existed             bool
		err                 string
	}{
		{dir + "/dir", "tmpfs", true, true, ""},
		{dir + "/alias", "tmpfs", true, true, ""},
		{dir + "/file", "bind", false, true, ""},
		{dir + "/new/deep", "tmpfs", true, false, ""},
		{dir + "/more/file", "bind", false, false, ""},
		{"/proc", "proc", true, true, ""},
		{"/proc/uptime", "bind", false, true, ""},
		{"/", "tmpfs", true, false, "the destination is the root of the container"},
		{dir + "/../../../../..", "tmpfs", true, false, "the destination is the root of the container"},
		{dir + "/file", "tmpfs", true, false, "not a directory"},
		{dir + "/file", "bind", true, false, "not a directory, but the source is one"},
		{dir + "/dir", "bind", false, false, "the source is not a directory, the target is one"},
		{dir + "/alias/x", "sysfs", true, false, "openat2 " + dir + "/alias/x: too many levels of symbolic links"},
		{dir + "/link", "tmpfs", true, false, "the destination leads into a procfs"},
		{"/proc", "tmpfs", true, false, `/proc ` + configs.PhraseNotOfTypeProc + ` (only a procfs may be mounted on /proc)`},
		{"/proc/sys", "tmpfs", true, false, "/proc/sys " + configs.PhraseInsideProc},
		{"/proc/self/attr", "tmpfs", true, false, "openat2 /proc/self/attr: too many levels of symbolic links"},
	} {
		got, err := Open(root, id, &configs.Mount{Destination: test.destination, Type: test.fstype}, test.dir)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s on %s: error %v, want %s", test.fstype, test.destination, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s on %s: %v", test.fstype, test.destination, err)
			continue
		}
		if got.Existed != test.existed || got.IsDir() != test.dir {
			t.Errorf("%s on %s: %+v", test.fstype, test.destination, got)
		}
		unix.Close(got.FD)
	}
}

// TestOpenBind: on /proc, only a procfs may be bind-mounted.
func TestOpenBind(t *testing.T) {
	root, id := open(t)
	for source, allowed := range map[string]bool{"/proc": true, "/proc/sys": false, "/": false} {
		tree, err := root.Open(source, unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := OpenBind(root, id, &configs.Mount{Destination: "/proc", Type: "bind"}, tree, true)
		if (err == nil) != allowed {
			t.Errorf("%s: %v", source, err)
		}
		if err == nil {
			unix.Close(got.FD)
		}
		unix.Close(tree)
	}
}

func open(t *testing.T) (*reach.Root, mountapi.FileID) {
	t.Helper()
	dir, err := inroot.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	id, err := mountapi.Identify(dir.FD())
	if err != nil {
		t.Fatal(err)
	}
	return reach.NewRoot(dir, nil), id
}
