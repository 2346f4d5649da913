// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
)

func TestMountPoints(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(base, "rootfs")
	for _, dir := range []string{"rootfs/run", "rootfs/there", "volume", "outside"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"var": "run", "dangling": "new/dir", "out": "../../outside"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	bind := func(dest, source string) configs.Mount {
		return configs.Mount{Field: "mounts[0]", Destination: dest, Type: "bind", Source: source}
	}
	tmpfs := func(dest string) configs.Mount {
		return configs.Mount{Field: "mounts[0]", Destination: dest, Type: "tmpfs", Source: "tmpfs"}
	}
	for name, test := range map[string]struct {
		mounts []configs.Mount
		want   []string
		made   []string // directories below root, with a slash, or files
	}{
		"there":           {[]configs.Mount{tmpfs("/there")}, []string{"/there"}, []string{"there/"}},
		"made":            {[]configs.Mount{tmpfs("/a/b"), bind("/c/d", filepath.Join(base, "volume"))}, []string{"/a/b", "/c/d"}, []string{"a/b/", "c/d/"}},
		"file":            {[]configs.Mount{bind("/etc/f", file)}, []string{"/etc/f"}, []string{"etc/f"}},
		"link":            {[]configs.Mount{tmpfs("/var/x")}, []string{"/run/x"}, []string{"run/x/"}},
		"dangling link":   {[]configs.Mount{tmpfs("/dangling")}, []string{"/new/dir"}, []string{"new/dir/"}},
		"link outside":    {[]configs.Mount{tmpfs("/out/y")}, []string{"/outside/y"}, []string{"outside/y/"}},
		"below a mount":   {[]configs.Mount{tmpfs("/e"), bind("/e/f", file)}, []string{"/e", "/e/f"}, []string{"e/"}},
		"root of a mount": {[]configs.Mount{tmpfs("/g"), tmpfs("/g")}, []string{"/g", "/g"}, []string{"g/"}},
	} {
		got, err := mountPoints(&configs.Config{Rootfs: configs.Rootfs{Path: root}, Mounts: test.mounts})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
		for _, made := range test.made {
			info, err := os.Lstat(filepath.Join(root, made))
			if err != nil || info.IsDir() != (made[len(made)-1] == '/') {
				t.Errorf("%s: %s: %v, %v", name, made, info, err)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "e/f")); err == nil {
		t.Error("something is made below a mount")
	}
	if left, err := os.ReadDir(filepath.Join(base, "outside")); err != nil || len(left) > 0 {
		t.Errorf("made outside of the root: %v, %v", left, err)
	}
	for name, mount := range map[string]configs.Mount{
		"no source": bind("/h", filepath.Join(base, "nowhere")), "file on the way": tmpfs("/etc/f/x"),
	} {
		if got, err := mountPoints(&configs.Config{Rootfs: configs.Rootfs{Path: root}, Mounts: []configs.Mount{mount}}); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}
