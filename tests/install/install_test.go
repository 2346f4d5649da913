// SPDX-License-Identifier: Apache-2.0

// Package install tests make install, make uninstall, and the script that removes the caches of
// the tests.
package install

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain sets the umask, which decides about modes.
func TestMain(m *testing.M) {
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

// tree lists the files below dir with modes and contents.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v", strings.TrimPrefix(path, dir), st.Mode())
		if st.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", data)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// put creates files below dir, each with its name as content.
func put(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(filepath.Base(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// script runs a script of the checkout.
func script(t *testing.T, env []string, path string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestTargets: make install installs everything that there is, at the right places, with any
// directories.
func TestTargets(t *testing.T) {
	out, err := script(t, []string{"MAKEFLAGS="}, "make", "--dry-run", "install", "PREFIX=/opt/x", "BINDIR=/sbin", "DESTDIR=/dest")
	if err != nil {
		t.Fatalf("make --dry-run install: %v: %s", err, out)
	}
	for _, want := range []string{
		"DESTDIR='/dest' PREFIX='/opt/x' .ci/install install ", "bin/berth:755:/sbin/berth", "LICENSE:644:/opt/x/share/doc/berth/LICENSE",
		":644:/opt/x/share/man/man8/", "bin/completion/_berth:644:/opt/x/share/zsh/site-functions/_berth",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestInstallUninstall: after uninstall everything is as it was before install.
func TestInstallUninstall(t *testing.T) {
	for _, before := range [][]string{nil, {"usr/bin/other", "usr/share/man/man8/other.8", "etc/x"}, {"usr/share/doc/other"}} {
		dir := t.TempDir()
		put(t, dir, before...)
		was := tree(t, dir)
		env := []string{"DESTDIR=" + dir, "PREFIX=/usr"}
		one := []string{"NOTICE:644:/usr/share/doc/berth/NOTICE", "LICENSE:755:/usr/bin/berth", "NOTICE:644:/usr/share/man/man8/old page.8"}
		for _, entries := range [][]string{one, one[:2], append(one[:2:2], "NOTICE:644:/usr/share/fish/new")} {
			if out, err := script(t, env, ".ci/install", append([]string{"install"}, entries...)...); err != nil || out != "" {
				t.Fatalf("install: %v: %s", err, out)
			}
		}
		now := tree(t, dir)
		if !strings.Contains(now, "/usr/bin/berth -rwxr-xr-x") || !strings.Contains(now, "/usr/share/fish/new -rw-r--r--") || strings.Contains(now, "old page") {
			t.Errorf("installed:\n%s", now)
		}
		if out, err := script(t, env, ".ci/install", "uninstall"); err != nil || out != "" {
			t.Fatalf("uninstall: %v: %s", err, out)
		}
		if now := tree(t, dir); now != was {
			t.Errorf("left:\n%s\nwas:\n%s", now, was)
		}
		if out, err := script(t, env, ".ci/install", "uninstall"); err == nil || !strings.Contains(out, "there is no ") {
			t.Errorf("uninstall twice: %v: %s", err, out)
		}
	}
}

// TestUninstallLeavesOthers: uninstall keeps a directory that install has created if others use
// it.
func TestUninstallLeavesOthers(t *testing.T) {
	dir := t.TempDir()
	env := []string{"DESTDIR=" + dir, "PREFIX=/usr"}
	if out, err := script(t, env, ".ci/install", "install", "NOTICE:644:/usr/share/man/man8/berth.8"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	put(t, dir, "usr/share/man/man8/other.8")
	if out, err := script(t, env, ".ci/install", "uninstall"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := t.TempDir()
	put(t, want, "usr/share/man/man8/other.8")
	if got, want := tree(t, dir), tree(t, want); got != want {
		t.Errorf("left:\n%s\nwant:\n%s", got, want)
	}
}

func TestInstallRefuses(t *testing.T) {
	out, err := script(t, []string{"DESTDIR=" + t.TempDir(), "PREFIX=opt"}, ".ci/install", "install", "NOTICE:644:opt/x")
	if err == nil || !strings.Contains(out, "PREFIX: opt is not an absolute path") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestCleanCache: the script removes only what the tests create, and nothing while it is in use.
func TestCleanCache(t *testing.T) {
	const key = "-0123456789ab"
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	env := []string{"BERTH_TEST_CACHE=" + cache}
	put(t, cache, "busybox"+key+"/bin/sh", "busybox"+key+".files", "busybox"+key+"-rootless/x", "stack-db"+key+"/y",
		"fresh-gocache/00/a", ".making.abc/x", ".fresh.abc/root/x", "vm"+key+"/root.img", "weak-berth"+key+"/berth", "lock")
	put(t, cache, "mine", "busybox-of-mine/x", "busybox-0123456789ac!/x")
	put(t, dir, "beside")

	was := tree(t, dir)
	held := exec.Command("flock", filepath.Join(cache, "lock"), "sh", "-c", "echo; read -r _")
	in, err := held.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	up, err := held.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := up.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if out, err := script(t, env, "tests/internal/clean-cache"); err == nil || !strings.Contains(out, "lock is locked") {
		t.Errorf("with a lock held: %v: %s", err, out)
	}
	if now := tree(t, dir); now != was {
		t.Errorf("removed while it is in use; left:\n%s", now)
	}
	in.Close()
	_ = held.Wait()

	if out, err := script(t, env, "tests/internal/clean-cache"); err != nil || !strings.Contains(out, "has files that are not") {
		t.Errorf("%v: %s", err, out)
	}
	want := t.TempDir()
	put(t, want, "cache/mine", "cache/busybox-of-mine/x", "cache/busybox-0123456789ac!/x", "beside")
	if got, want := tree(t, dir), tree(t, want); got != want {
		t.Errorf("left:\n%s\nwant:\n%s", got, want)
	}
	// If nothing else was in it, the directory is removed too. Then there is nothing left to do.
	for range 2 {
		env = []string{"BERTH_TEST_CACHE=" + filepath.Join(dir, "other")}
		put(t, dir, "other/criu"+key+"/bin/criu")
		if out, err := script(t, env, "tests/internal/clean-cache"); err != nil || out != "" {
			t.Errorf("%v: %s", err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "other")); !os.IsNotExist(err) {
			t.Errorf("the directory is left: %v", err)
		}
	}
}
