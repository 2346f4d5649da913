// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// rootfs returns a directory with a static shell in it.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skipf("needs a static busybox: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openDir(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestChroot(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "busybox", "ls", "/")
	p.Root, p.Cwd = openDir(t, rootfs(t)), "/bin"
	if out := run(t, nil, p); out != "bin" {
		t.Errorf("output %q", out)
	}
}

func TestCwd(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	p := rootPlan(t, "pwd")
	p.Cwd = dir
	if out := run(t, nil, p); out != dir {
		t.Errorf("output %q", out)
	}
	p.Cwd = dir + "/missing"
	if step := configureError(t, nil, p); step.Error() != "chdir "+dir+"/missing: no such file or directory" {
		t.Errorf("error %v", step)
	}
}

// Root may not enter the directory, but the user may, in the second attempt.
func TestCwdOfUser(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := filepath.Join(reachableDir(t), "private")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	onThreadWithout(t, []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH}, func() {
		p := &Plan{Args: []string{"/bin/pwd"}, Cwd: dir, UID: 1000, GID: 1000}
		if out := run(t, nil, p); out != dir {
			t.Errorf("output %q", out)
		}
		p.UID = 1001
		if step := configureError(t, nil, p); step.Error() != "chdir "+dir+": permission denied" {
			t.Errorf("error %v", step)
		}
	})
}

// CVE-2024-21626: a cwd through a descriptor of a directory of the host.
func TestCwdOutsideRoot(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	root := rootfs(t)
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	onThread(func() {
		if err := errors.Join(
			unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""),
		); err != nil {
			t.Errorf("mount namespace: %v", err)
			return
		}
		host := openDir(t, "/usr")
		p := rootPlan(t, "busybox", "pwd")
		p.Root, p.Cwd = openDir(t, root), "/proc/self/fd/3"
		o := &Options{NewNamespaces: unix.CLONE_NEWUTS, ExtraFiles: []*os.File{host}}
		step := configureError(t, o, p)
		want := `cwd "/proc/self/fd/3" is outside of the container's root: possible breakout attempt`
		if step.Error() != want {
			t.Errorf("error %v, want %s", step, want)
		}
		// None of init's own descriptors leads out either, and a program with a path through
		// one of them is not found.
		for fd := 4; fd < 12; fd++ {
			p.Cwd = fmt.Sprintf("/proc/self/fd/%d/../..", fd)
			i := start(t, o)
			if err := i.Configure(p); err == nil {
				t.Errorf("cwd %s was accepted", p.Cwd)
			}
		}
	})
}
