// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// TestFill: cgroups that another runtime has created and left empty.
func TestFill(t *testing.T) {
	for _, c := range []struct {
		name string
		made []string // of a, a/b, a/b/c
		have map[string]string
		want string
	}{
		{name: "all new", made: []string{"a", "a/b", "a/b/c"}, want: "0-3"},
		{name: "empty parent", made: []string{"a/b/c"}, want: "0-3"},
		{name: "filled parent", made: []string{"a/b/c"}, have: map[string]string{"a": "1-3", "a/b": "1-2"}, want: "1-2"},
		{name: "filled grandparent", made: []string{"a/b/c"}, have: map[string]string{"a": "1-3"}, want: "1-3"},
		{name: "filled itself", have: map[string]string{"a": "1-3", "a/b": "1-2", "a/b/c": "2"}, want: "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for _, d := range []string{"", "a", "a/b", "a/b/c"} {
				dir := filepath.Join(root, d)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				cpus, mems := c.have[d], ""
				if d == "" {
					cpus = "0-3"
				}
				if cpus != "" {
					mems = "0"
				}
				for file, text := range map[string]string{"cpuset.cpus": cpus, "cpuset.mems": mems} {
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			f := filler{top: cgroupfs.Dir(root)}
			for _, d := range c.made {
				f.made = append(f.made, cgroupfs.Dir(filepath.Join(root, d)))
			}
			leaf := cgroupfs.Dir(root + "/a/b/c")
			cpus, mems, err := f.fill(leaf)
			if err != nil || cpus != c.want || mems != "0" {
				t.Errorf("got %q, %q, %v", cpus, mems, err)
			}
			if got, err := leaf.Read("cpuset.cpus"); err != nil || got != c.want {
				t.Errorf("file has %q, %v", got, err)
			}
			if got, _ := leaf.Parent().Read("cpuset.cpus"); got == "" {
				t.Error("the parent is still empty")
			}
		})
	}
}

// TestDiscoverMounts reads the mounts of the host, even if the fast path would be enough.
func TestDiscoverMounts(t *testing.T) {
	memberships, err := cgroupfs.ReadProc("/proc/self/cgroup")
	if err != nil {
		t.Skip("requires cgroups:", err)
	}
	mounts, err := cgroupfs.ReadProc("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, absolute := range []bool{true, false} {
		found := mounted(cgroupfs.ParseMemberships(memberships), cgroupfs.ParseMounts(mounts), absolute, true)
		quick, ok := usual(cgroupfs.ParseMemberships(memberships), absolute, true)
		if ok && !slices.EqualFunc(quick, found, func(a, b hierarchy) bool { return a.base == b.base && a.v2 == b.v2 }) {
			t.Errorf("found %v, but quickly %v", found, quick)
		}
		for _, h := range found {
			want := int64(unix.CGROUP_SUPER_MAGIC)
			if h.v2 {
				want = unix.CGROUP2_SUPER_MAGIC
			}
			if fs, err := cgroupfs.FileSystem(string(h.base)); err != nil || fs != want {
				t.Errorf("%s has file system %#x, %v", h.base, fs, err)
			}
		}
	}
}
