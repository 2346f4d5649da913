// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// testSubgroup places a process below the container's cgroup. Everything else still acts on the
// container's cgroup.
func testSubgroup(t *testing.T, mode Mode) {
	c := plan(unique(t))
	c.Subgroup, c.Delegated = "s", "d"
	if mode != Unified {
		if _, err := New(c, "id"); err == nil || !strings.Contains(err.Error(), "not supported on cgroup v1") {
			t.Errorf("got %v", err)
		}
		return
	}
	m := create(t, c)
	dir := cgroupfs.Dir(m.Paths()[""])
	if string(dir) != cgroupfs.Root+c.Path {
		t.Errorf("the container's cgroup is %s", dir)
	}
	cmd := run(t, m, "cat")
	pid := cmd.Process.Pid
	wantIn(t, pid, c.Path+"/s")
	if err := m.EnterDelegated(pid); err != nil {
		t.Fatal(err)
	}
	wantIn(t, pid, c.Path+"/s/d")
	if err := m.Delegate(12345); err != nil {
		t.Error(err)
	}
	for file, owner := range map[string]string{"": "0", "/s": "0", "/s/cgroup.procs": "0", "/s/d": "12345", "/s/d/cgroup.procs": "12345", "/s/d/cgroup.max.depth": "0"} {
		if got := ownerOf(t, string(dir)+file); got != owner {
			t.Errorf("%s belongs to %s, want %s", file, got, owner)
		}
	}
	if pids, err := m.Pids(); err != nil || !slices.Equal(pids, []int{pid}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	loaded, err := Load(m.Paths(), &configs.Cgroup{Subgroup: "s/d"})
	if err != nil {
		t.Fatal(err)
	}
	other := run(t, loaded, "cat")
	wantIn(t, other.Process.Pid, c.Path+"/s/d")
	for _, on := range []bool{true, false} {
		if err := loaded.Freeze(on); err != nil {
			t.Error(err)
		}
		if text, err := (dir + "/s/d").Read("cgroup.events"); err != nil || strings.Contains(text, "frozen 1") != on {
			t.Errorf("frozen %t: %q, %v", on, text, err)
		}
	}
	if err := loaded.Kill(); err != nil {
		t.Error(err)
	}
	_, _ = cmd.Wait(), other.Wait()
	if err := loaded.Destroy(); err != nil || dir.Exists() {
		t.Errorf("not removed: %v", err)
	}
}

func wantIn(t *testing.T, pid int, path string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range cgroupfs.ParseMemberships(string(text)) {
		if in.Controllers == "" && in.Path != path {
			t.Errorf("process is in %s, want %s", in.Path, path)
		}
	}
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid)
}
