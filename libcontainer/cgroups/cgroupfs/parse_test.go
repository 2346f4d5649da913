// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseMemberships(t *testing.T) {
	got := ParseMemberships("12:cpu,cpuacct:/user.slice\n3:name=systemd:/a:b\n0::/\nrubbish\n5:x:relative\n1:cpuset\n")
	want := []Membership{
		{"cpu,cpuacct", "/user.slice"},
		{"name=systemd", "/a:b"},
		{"", "/"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseMounts(t *testing.T) {
	text := `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/abc /mnt/with\040blank\134 rw,relatime shared:9 master:3 - cgroup some\040thing rw,name=foo
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
42 31 0:38 / /x rw - cgroup3 cgroup3 rw
43 31 0:38 /
44 31 0:38 relative /y rw - cgroup cgroup rw
`
	got := ParseMounts(text)
	want := []Mount{
		{Point: "/sys/fs/cgroup/cpu,cpuacct", Root: "/", Options: "rw,cpu,cpuacct"},
		{Point: `/mnt/with blank\`, Root: "/docker/abc", Options: "rw,name=foo"},
		{Point: "/sys/fs/cgroup/unified", Root: "/", V2: true, Options: "rw,nsdelegate"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParsePids(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int
		bad  bool
	}{
		{text: ""},
		{text: "1\n22\n333", want: []int{1, 22, 333}},
		{text: "0\n7\n", want: []int{7}},
		{text: "-1\n", bad: true},
		{text: "12x\n", bad: true},
		{text: "4294967297\n", bad: true},
	} {
		got, err := parsePids(c.text)
		if !slices.Equal(got, c.want) || (err != nil) != c.bad {
			t.Errorf("%q: got %v, %v", c.text, got, err)
		}
	}
}

func TestEvent(t *testing.T) {
	const text = "populated 1\nfrozen 0\n"
	if v, ok := Event(text, "frozen"); !ok || v != "0" {
		t.Errorf("frozen: %q, %v", v, ok)
	}
	if v, ok := Event(text, "froze"); ok {
		t.Errorf("froze: %q", v)
	}
}

func TestCleanPath(t *testing.T) {
	for _, c := range []struct {
		path, clean string
		absolute    bool
		err         string
	}{
		{path: "", clean: "id"},
		{path: "/a/b/", clean: "a/b", absolute: true},
		{path: "a//b", clean: "a/b"},
		{path: "../../a", clean: "a"},
		{path: "/../a/../../b", clean: "b", absolute: true},
		{path: "/", err: "linux.cgroupsPath: "},
		{path: "..", err: "linux.cgroupsPath: "},
		{path: "a\x00b", err: "linux.cgroupsPath: "},
		{path: "/a\nb", err: "linux.cgroupsPath: "},
		{path: "/a\x7fb", err: "linux.cgroupsPath: "},
	} {
		clean, absolute, err := CleanPath(c.path, "id")
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%q: got %q and error %v", c.path, clean, err)
			}
			continue
		}
		if err != nil || clean != c.clean || absolute != c.absolute {
			t.Errorf("%q: got %q, %v, %v", c.path, clean, absolute, err)
		}
	}
}

func FuzzParseMemberships(f *testing.F) {
	f.Add("12:cpu,cpuacct:/a\n0::/\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range ParseMemberships(text) {
			if !strings.HasPrefix(m.Path, "/") || strings.Contains(m.Controllers, ":") {
				t.Errorf("%q", m)
			}
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add(`33 31 0:30 /docker/abc /mnt/with\040blank\134 rw,relatime shared:9 - cgroup x rw,name=foo`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range ParseMounts(text) {
			if !strings.HasPrefix(m.Point, "/") || !strings.HasPrefix(m.Root, "/") {
				t.Errorf("%+v", m)
			}
		}
	})
}

func FuzzParsePids(f *testing.F) {
	f.Add("1\n22\n0\n")
	f.Fuzz(func(t *testing.T, text string) {
		pids, _ := parsePids(text)
		for _, pid := range pids {
			if pid <= 0 {
				t.Errorf("%d from %q", pid, text)
			}
		}
	})
}

func FuzzCleanPath(f *testing.F) {
	f.Add("../a/./b", "id")
	f.Fuzz(func(t *testing.T, path, id string) {
		clean, _, err := CleanPath(path, id)
		if err != nil {
			return
		}
		if clean == "" || strings.HasPrefix(clean, "/") || slices.Contains(strings.Split(clean, "/"), "..") {
			t.Errorf("%q became %q", path, clean)
		}
	})
}

func TestMake(t *testing.T) {
	root := Dir(t.TempDir())
	var made Made
	existed, err := Make(root, root+"/a/b/c", &made)
	want := Made{root + "/a", root + "/a/b", root + "/a/b/c"}
	if err != nil || existed || !reflect.DeepEqual(made, want) {
		t.Fatalf("made %q, existed %v: %v", made, existed, err)
	}
	var second Made
	if existed, err := Make(root, root+"/a/b/c", &second); err != nil || !existed || len(second) != 0 {
		t.Errorf("again: made %q, existed %v: %v", second, existed, err)
	}
	if _, err := Make(root, root+"/a/b/d", &second); err != nil || len(second) != 1 {
		t.Errorf("sibling: made %q: %v", second, err)
	}
	if err := second.Undo(); err != nil {
		t.Error(err)
	}
	if err := made.Undo(); err != nil || Dir.Exists(root+"/a") || !root.Exists() {
		t.Errorf("undo left something: %v", err)
	}
}

func TestBelow(t *testing.T) {
	for d, want := range map[Dir]bool{"/a/b": true, "/a/b/c": true, "/a": false, "/a/": false, "/ab": false, "/ab/c": false, "/b/c": false, "": false} {
		if got := d.below("/a"); got != want {
			t.Errorf("%q below /a: %v", d, got)
		}
	}
}

func TestMakeRootMissing(t *testing.T) {
	root := Dir(t.TempDir()) + "/missing"
	var made Made
	if _, err := Make(root, root+"/a", &made); err == nil || len(made) != 0 || root.Exists() {
		t.Errorf("made %q: %v", made, err)
	}
}

func TestListPids(t *testing.T) {
	for want, pids := range map[string][]int{
		"process 7":      {7},
		"processes 7, 8": {7, 8},
		"processes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
	} {
		if got := listPids(pids); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
