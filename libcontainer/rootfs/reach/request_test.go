// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFollowsInRootOnly: symbolic links are followed within the mount of the root, but not into
// another mount, even if the path itself may lead there.
func TestFollowsInRootOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires root, to mount")
	}
	dir := t.TempDir()
	for _, d := range []string{"run", "volume"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", filepath.Join(dir, "volume"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(filepath.Join(dir, "volume"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for link, to := range map[string]string{"var": "run", "into": "volume", "volume/out": "/run", "out": "/../../etc"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	for _, c := range []struct {
		request Request
		err     error
		made    string
	}{
		{Request{Kind: Dir, Path: "/var/a/b"}, nil, "run/a/b"},
		{Request{Kind: File, Path: "/var/f"}, nil, "run/f"},
		{Request{Kind: Link, Path: "/var/l", Target: "x"}, nil, "run/l"},
		{Request{Kind: Dir, Path: "/volume/named"}, nil, "volume/named"},
		{Request{Kind: Dir, Path: "/out/here"}, nil, "etc/here"},
		{Request{Kind: Dir, Path: "/into/evil"}, unix.EXDEV, ""},
		{Request{Kind: File, Path: "/into/evil"}, unix.EXDEV, ""},
		{Request{Kind: Link, Path: "/into/evil", Target: "x"}, unix.EXDEV, ""},
		{Request{Kind: Dir, Path: "/volume/out/evil"}, unix.EXDEV, ""},
		{Request{Kind: Open, Path: "/into"}, unix.EXDEV, ""},
		{Request{Kind: Dir, Path: "/var/a/b", Strict: true}, unix.ELOOP, ""},
		{Request{Kind: Open, Path: "/var", NoFollow: true}, nil, "var"},
	} {
		fd, err := c.request.Do(root)
		if fd >= 0 {
			unix.Close(fd)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%+v: %v, want %v", c.request, err, c.err)
		}
		if c.made != "" {
			if _, err := os.Lstat(filepath.Join(dir, c.made)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, evil := range []string{"volume/evil", "run/evil"} {
		if _, err := os.Lstat(filepath.Join(dir, evil)); err == nil {
			t.Errorf("%s was made", evil)
		}
	}
}
