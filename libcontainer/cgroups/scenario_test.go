// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func testLife(t *testing.T, mode Mode) {
	c := plan(unique(t))
	m := create(t, c)
	paths := m.Paths()
	_, v2 := paths[""]
	if v2 != (mode != Legacy) || len(paths) == 0 {
		t.Errorf("mode %d, paths %q", mode, paths)
	}
	for key, p := range paths {
		if !strings.HasSuffix(p, c.Path) || !cgroupfs.Dir(p).Exists() {
			t.Errorf("%s: %s", key, p)
		}
	}
	for _, h := range m.Hierarchies() {
		if h.Path != filepath.Join(cgroupfs.Root, h.Name, c.Path) {
			t.Errorf("got %+v", h)
		}
	}
	if err := create2(t, c); err != nil {
		t.Errorf("an empty cgroup that exists: %v", err)
	}
	cmd := run(t, m, "cat")
	membership, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range cgroupfs.ParseMemberships(string(membership)) {
		key, _, _ := strings.Cut(in.Controllers, ",")
		if _, ok := paths[key]; ok && in.Path != c.Path {
			t.Errorf("process is in %+v", in)
		}
	}
	loaded, err := Load(paths, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Manager{m, loaded} {
		if pids, err := m.Pids(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
			t.Errorf("pids %v, %v", pids, err)
		}
	}
	if err := create2(t, c); err == nil || !strings.Contains(err.Error(), "container's cgroup is not empty: 1 process(es) found") {
		t.Errorf("a cgroup in use: %v", err)
	}
	if err := loaded.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if err := loaded.Destroy(); err != nil {
		t.Error(err)
	}
	for _, p := range paths {
		if cgroupfs.Dir(p).Exists() {
			t.Errorf("still there: %s", p)
		}
	}
	if pids, err := m.Pids(); err != nil || len(pids) != 0 {
		t.Errorf("pids of nothing: %v, %v", pids, err)
	}
	for what, f := range map[string]func() error{
		"destroy": m.Destroy, "kill": m.Kill, "thaw": func() error { return m.Freeze(false) },
	} {
		if err := f(); err != nil {
			t.Errorf("%s nothing: %v", what, err)
		}
	}
}

// create2 calls Create of another manager.
func create2(t *testing.T, c *configs.Cgroup) error {
	t.Helper()
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	return m.Create()
}

// testNested has cgroups below the container's, as in a container that runs systemd, and a
// process in them.
func testNested(t *testing.T) {
	m := create(t, plan(unique(t)))
	for _, p := range m.Paths() {
		if err := os.MkdirAll(p+"/a/b", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(p+"/c", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := run(t, m, "cat")
	for _, p := range m.Paths() {
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if v, err := cgroupfs.Dir(p).Read(file); err == nil && v != "" {
				_ = cgroupfs.Dir(p+"/a").Write(file, v)
				_ = cgroupfs.Dir(p+"/a/b").Write(file, v)
			}
		}
		if err := cgroupfs.Dir(p+"/a/b").Write("cgroup.procs", strconv.Itoa(cmd.Process.Pid)); err != nil {
			t.Fatal(p, err)
		}
	}
	if pids, err := m.Pids(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	for _, p := range m.Paths() {
		err := cgroupfs.Dir(p).Remove(time.Now().Add(5 * time.Millisecond))
		if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "process "+strconv.Itoa(cmd.Process.Pid)+" still in "+p) {
			t.Errorf("got %v", err)
		}
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := m.Destroy(); err != nil {
		t.Error(err)
	}
}

// testFailure checks that nothing is left of a failed Create.
func testFailure(t *testing.T) {
	long := strings.Repeat("x", unix.PathMax)
	path := unique(t)
	for _, bad := range []string{filepath.Dir(path) + "/a/" + long, "/" + long} {
		m, err := New(plan(bad), "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Create(); err == nil || err.Error() != "linux.cgroupsPath: file name too long" {
			t.Errorf("got %v", err)
		}
		for _, p := range m.Paths() {
			for d := filepath.Dir(p); strings.Contains(d, filepath.Dir(path)); d = filepath.Dir(d) {
				if cgroupfs.Dir(d).Exists() {
					t.Errorf("left behind: %s", d)
				}
			}
		}
	}
	c := plan(path)
	c.Resources.CPU = &specs.LinuxCPU{RealtimeRuntime: num(int64(1000))}
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	cpu := cgroupfs.Dir(m.Paths()["cpu"])
	if text, _ := cgroupfs.Dir(filepath.Dir(filepath.Dir(string(cpu)))).Read("cpu.rt_runtime_us"); cpu != "" && text != "" {
		// The new parent has no real-time budget to give.
		err := m.Create()
		if err == nil || err.Error() != "linux.resources.cpu.realtimeRuntime: write cpu.rt_runtime_us: invalid argument (the cgroup above has no such time to give)" {
			t.Errorf("got %v", err)
		}
		for _, p := range m.Paths() {
			if cgroupfs.Dir(p).Parent().Exists() {
				t.Errorf("left behind: %s", filepath.Dir(p))
			}
		}
	}
	for path, want := range map[string]string{
		"a.slice:p":   `linux.cgroupsPath: expected slice:prefix:name for the systemd driver, got "a.slice:p"`,
		"a.slice:p:n": "--systemd-cgroup: systemd ",
	} {
		if _, err := os.Stat("/run/systemd/system"); err == nil && strings.HasPrefix(want, "--") {
			continue
		}
		m, err = New(&configs.Cgroup{Systemd: true, Path: path}, "id")
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("systemd: %v, %v, want %s", m, err, want)
		}
	}
}

// testUndo has a cgroup that cannot be used in one hierarchy, the last.
func testUndo(t *testing.T) {
	c := plan(unique(t))
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	hs := m.Hierarchies()
	last := cgroupfs.Dir(hs[len(hs)-1].Path)
	if err := os.MkdirAll(string(last), 0o755); err != nil {
		t.Fatal(err)
	}
	one, err := Load(map[string]string{"": string(last)}, c)
	if err != nil {
		t.Fatal(err)
	}
	if !hs[len(hs)-1].V2 {
		_, key, _ := strings.Cut(","+hs[len(hs)-1].Options, ",")
		if one, err = Load(map[string]string{key: string(last)}, c); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if v, err := last.Parent().Parent().Read(file); err == nil {
				_ = last.Parent().Write(file, v)
				_ = last.Write(file, v)
			}
		}
	}
	cmd := run(t, one, "cat")
	if err := m.Create(); err == nil || !strings.Contains(err.Error(), "container's cgroup is not empty: 1 process(es) found") {
		t.Errorf("got %v", err)
	}
	for _, h := range hs[:len(hs)-1] {
		if cgroupfs.Dir(h.Path).Exists() || cgroupfs.Dir(h.Path).Parent().Exists() {
			t.Errorf("left behind: %s", h.Path)
		}
	}
	if !last.Exists() {
		t.Errorf("removed what it had not made: %s", last)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := one.Destroy(); err != nil {
		t.Error(err)
	}
}

// testPaths creates nothing.
func testPaths(t *testing.T) {
	for path, tail := range map[string]string{"": "/the-id", "a/../../b": "/b", "/x/../../y": "/y"} {
		m, err := New(plan(path), "the-id")
		if err != nil {
			t.Fatal(err)
		}
		for key, p := range m.Paths() {
			if !strings.HasPrefix(p, cgroupfs.Root+"/") || !strings.HasSuffix(p, tail) || strings.Contains(p, "..") {
				t.Errorf("%q: %s: %s", path, key, p)
			}
			if path != "" && path[0] == '/' && filepath.Dir(p) != cgroupfs.Root && filepath.Dir(filepath.Dir(p)) != cgroupfs.Root {
				t.Errorf("%q: %s: %s is not at the root", path, key, p)
			}
		}
	}
	for _, path := range []string{"/", "a\x00b"} {
		if m, err := New(plan(path), "id"); m != nil || err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A birthplace that is created separately is part of the whole: Create and Placement do not
// repeat it, and a Create that fails afterwards leaves cgroups of others alone.
func testBirthplace(t *testing.T) {
	c := plan(unique(t))
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := m.CreateBirthplace()
	if err != nil {
		t.Fatal(err)
	}
	if dir != nil {
		defer dir.Close()
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	p, err := m.Placement()
	if err != nil {
		t.Fatal(err)
	}
	if dir != nil && p.Dir != nil {
		t.Error("the birthplace is opened twice")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for name, path := range m.Paths() {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := m.Destroy(); err != nil {
		t.Error(err)
	}
	for name, path := range m.Paths() {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%q is still there: %v", name, err)
		}
	}
}

// A container that wants the cgroup of another gets an error in time, and its undo removes
// nothing of the other.
func testCgroupOfAnother(t *testing.T) {
	c := plan(unique(t))
	m := create(t, c)
	proc := run(t, m, "sleep", "1000")
	other, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := other.CreateBirthplace()
	if err == nil {
		err = other.Create()
		if dir != nil {
			dir.Close()
		}
	}
	if err == nil {
		t.Error("two containers in one cgroup")
	}
	if err := errors.Join(other.Kill(), other.Destroy()); err != nil {
		t.Error(err)
	}
	if pids, err := m.Pids(); err != nil || !slices.Contains(pids, proc.Process.Pid) {
		t.Errorf("processes %v, %v", pids, err)
	}
	if err := m.Kill(); err != nil {
		t.Error(err)
	}
}
