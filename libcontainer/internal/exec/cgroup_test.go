// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSubCgroups(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]string{}
	for key, name := range map[string]string{"cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct", "memory": "memory", "name=systemd": "systemd", "": "unified"} {
		paths[key] = filepath.Join(dir, name)
		if key == "" {
			name = "unused" // no cgroups are created in the second hierarchy of a hybrid host
		}
		if err := os.MkdirAll(filepath.Join(dir, name, "a/b"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		want map[string]string // the differences to paths, relative
	}{
		{[]string{"/"}, nil},
		{[]string{"a"}, map[string]string{"cpu": "a", "cpuacct": "a", "memory": "a", "name=systemd": "a"}},
		{[]string{"//a/./b/../b/"}, map[string]string{"cpu": "a/b", "cpuacct": "a/b", "memory": "a/b", "name=systemd": "a/b"}},
		{[]string{"memory:a"}, map[string]string{"memory": "a"}},
		{[]string{"cpu:a"}, map[string]string{"cpu": "a", "cpuacct": "a"}},
		{[]string{"cpuacct,memory:a/b", "name=systemd:a"}, map[string]string{"cpu": "a/b", "cpuacct": "a/b", "memory": "a/b", "name=systemd": "a"}},
	} {
		want := maps.Clone(paths)
		for key, sub := range tt.want {
			want[key] = filepath.Join(want[key], sub)
		}
		if got, err := subCgroups(paths, tt.args); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", tt.args, got, err, want)
		}
	}
	for _, arg := range []string{"..", "a/../..", "/../x", "../" + filepath.Base(dir), "nope", "pids:a", ":a", "memory,:a", "memory:nope"} {
		if got, err := subCgroups(paths, []string{arg}); err == nil {
			t.Errorf("%q: %v, want an error", arg, got)
		}
	}
	unified := map[string]string{"": filepath.Join(dir, "memory")}
	if got, err := subCgroups(unified, []string{"a"}); err != nil || got[""] != filepath.Join(dir, "memory/a") {
		t.Errorf("v2: %v, %v", got, err)
	}
	for _, args := range [][]string{{"nope"}, {"memory:a"}, {"a", "a"}} {
		if got, err := subCgroups(unified, args); err == nil {
			t.Errorf("v2, %q: %v, want an error", args, got)
		}
	}
	if _, err := subCgroups(nil, []string{"a"}); err == nil {
		t.Error("a sub-cgroup is accepted for a container without cgroups")
	}
}

func TestChooseAllCgroups(t *testing.T) {
	paths := map[string]string{"cpu": "/sys/fs/cgroup/cpu/c", "": "/sys/fs/cgroup/unified/c"}
	if got, err := chooseCgroups(paths, ""); err != nil || !slices.Equal(got, []string{"", "cpu"}) {
		t.Errorf("all: %q, %v", got, err)
	}
}
