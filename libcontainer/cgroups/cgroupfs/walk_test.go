// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deepTree creates nested directories with a path far longer than PATH_MAX, and in the last one
// a list with this process.
func deepTree(t *testing.T, top Dir, levels, pid int) {
	t.Helper()
	dir, err := top.descriptor()
	if err != nil {
		t.Fatal(err)
	}
	for range levels {
		if err := unix.Mkdirat(dir, "dddddddddd", 0o755); err != nil {
			t.Fatal(err)
		}
		below, err := openDirectory(dir, "dddddddddd")
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(dir)
		dir = below
	}
	defer unix.Close(dir)
	if pid == 0 {
		return
	}
	fd, err := unix.Openat(dir, "cgroup.procs", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := writeValue(fd, "cgroup.procs", strconv.Itoa(pid)+"\n"); err != nil {
		t.Fatal(err)
	}
}

// lowLimits allows only a few descriptors and little stack.
func lowLimits(t *testing.T) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	low := before
	low.Cur = 32
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	stack := debug.SetMaxStack(64 << 10)
	t.Cleanup(func() {
		debug.SetMaxStack(stack)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// A container can nest cgroups as deep as it likes: neither the length of the path nor the
// number of levels may prevent it from being listed and removed.
func TestWalkDeep(t *testing.T) {
	const levels, wide = 1000, 100
	d := Dir(t.TempDir()) + "/c"
	if err := os.Mkdir(string(d), 0o755); err != nil {
		t.Fatal(err)
	}
	deepTree(t, d, levels, 0)
	for i := range wide {
		if err := os.MkdirAll(string(d)+"/we ird\x1b[31m\xff"+strconv.Itoa(i)+"/x", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lowLimits(t)
	seen := 0
	err := d.walk(func(_, above int, name string) error {
		seen++
		if (above < 0) != (name == "") {
			t.Errorf("%q, above %d", name, above)
		}
		return nil
	})
	if err != nil || seen != 1+levels+2*wide {
		t.Errorf("%d cgroups seen, want %d: %v", seen, 1+levels+2*wide, err)
	}
	if err := d.removeBelow(); err != nil {
		t.Error(err)
	}
	if err := d.rmdir(); err != nil || d.Exists() {
		t.Errorf("removed: %v, %v", !d.Exists(), err)
	}
	if err := d.walk(nil); err != nil {
		t.Errorf("a missing cgroup: %v", err)
	}
}

func TestPidsDeep(t *testing.T) {
	d := Dir(t.TempDir()) + "/c"
	if err := os.Mkdir(string(d), 0o755); err != nil {
		t.Fatal(err)
	}
	deepTree(t, d, 600, 123)
	pids, err := d.Pids()
	if err != nil || !slices.Equal(pids, []int{123}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	if err := d.walk(func(dir, above int, name string) error {
		_ = unix.Unlinkat(dir, "cgroup.procs", 0)
		if above < 0 {
			return nil
		}
		return unix.Unlinkat(above, name, unix.AT_REMOVEDIR)
	}); err != nil {
		t.Fatal(err)
	}
}

// If a cgroup cannot be removed, the others still are, and the error has a name of reasonable
// length.
func TestRemoveAround(t *testing.T) {
	d := Dir(t.TempDir()) + "/c"
	for _, sub := range []string{"/a/b/c", "/d/e", "/f"} {
		if err := os.MkdirAll(string(d)+sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A file, which cgroups do not have, stands for a process.
	if err := os.WriteFile(string(d)+"/d/e/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := d.removeBelow()
	if err == nil || !strings.Contains(err.Error(), "rmdir "+string(d)+"/…/e: directory not empty") {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(string(d))
	if err != nil || len(left) != 1 || left[0].Name() != "d" {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := os.Remove(string(d) + "/d/e/file"); err != nil {
		t.Fatal(err)
	}
	if err := d.removeBelow(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(string(d)); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Directories that disappear during the walk are skipped.
func TestWalkVanishing(t *testing.T) {
	d := Dir(t.TempDir()) + "/c"
	for _, sub := range []string{"/a", "/b", "/c"} {
		if err := os.MkdirAll(string(d)+sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	visits := 0
	err := d.walk(func(int, int, string) error {
		visits++
		return os.RemoveAll(string(d))
	})
	if err != nil || visits != 2 {
		t.Errorf("%d visits: %v", visits, err)
	}
}

func TestAppendDirectoriesBroken(t *testing.T) {
	for _, buf := range [][]byte{nil, make([]byte, 8), make([]byte, 64), slices.Repeat([]byte{0xff}, 64)} {
		if names := appendDirectories(nil, buf); len(names) != 0 {
			t.Errorf("%v: %q", buf, names)
		}
	}
}
