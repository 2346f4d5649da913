// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The tests of this file create real cgroups. TestHost runs them on the host's own layout,
// TestPrivate on others. They need root.

func TestHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	mode, err := DetectMode()
	if err != nil {
		t.Fatal(err)
	}
	if mode == Unavailable {
		t.Skip("requires cgroups")
	}
	live(t, mode)
}

// privateEnv tells the test binary that it is the child of TestPrivate.
const privateEnv = "BERTH_TEST_PRIVATE_CGROUPS"

// TestPrivate runs the tests on layouts that the host does not have, each in a child with its
// own mount namespace.
func TestPrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	layouts := map[string]func(*testing.T){
		"unified": private, "legacy": legacy, "readonly": readonly, "absent": absent, "unprivileged": unprivileged,
	}
	if f := layouts[os.Getenv(privateEnv)]; f != nil {
		f(t)
		return
	}
	for name := range layouts {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestPrivate$", "-test.v")
			cmd.Env = append(os.Environ(), privateEnv+"="+name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "--- SKIP: TestPrivate (") {
				t.Skipf("%s", out)
			}
			if err != nil || !strings.Contains(string(out), "--- PASS: TestPrivate (") {
				t.Errorf("in a private mount namespace: %v\n%s", err, out)
			}
		})
	}
}

// detach makes the mounts private and detaches one.
func detach(t *testing.T, path string) error {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal("make mounts private:", err)
	}
	return unix.Unmount(path, unix.MNT_DETACH)
}

func private(t *testing.T) {
	_ = detach(t, cgroupfs.Root)
	if err := unix.Mount("cgroup2", cgroupfs.Root, "cgroup2", 0, ""); err != nil {
		t.Fatal("mount cgroup2:", err)
	}
	// Controllers that are not on a v1 hierarchy are enabled in the host's root.
	root := cgroupfs.Dir(cgroupfs.Root)
	before, err := root.Read("cgroup.subtree_control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		after, _ := root.Read("cgroup.subtree_control")
		for c := range strings.FieldsSeq(after) {
			if !cgroupfs.HasWord(before, c) {
				if err := root.Write("cgroup.subtree_control", "-"+c); err != nil {
					t.Error(err)
				}
			}
		}
	})
	live(t, Unified)
}

func legacy(t *testing.T) {
	if mode, err := DetectMode(); err != nil || mode == Unified {
		t.Skip("requires cgroup v1")
	}
	_ = detach(t, cgroupfs.Root+"/unified")
	if mode, err := DetectMode(); err != nil || mode != Legacy {
		t.Fatalf("mode %d, %v", mode, err)
	}
	live(t, Legacy)
}

// readonly is the view of a container that may only read.
func readonly(t *testing.T) {
	_ = detach(t, cgroupfs.Root)
	if err := unix.Mount("cgroup2", cgroupfs.Root, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", cgroupfs.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	path := unique(t)
	err := create2(t, plan(path))
	want := "linux.cgroupsPath: mkdir /sys/fs/cgroup" + filepath.Dir(path) + ": read-only file system (the hierarchy is mounted read-only)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	rootless(t)
}

func absent(t *testing.T) {
	if err := detach(t, cgroupfs.Root); err != nil {
		t.Fatal(err)
	}
	if mode, err := DetectMode(); err != nil || mode != Unavailable {
		t.Errorf("mode %d, %v", mode, err)
	}
	err := create2(t, plan("/x"))
	if err == nil || err.Error() != "linux.cgroupsPath: no cgroup hierarchy is mounted on /sys/fs/cgroup" {
		t.Errorf("got %v", err)
	}
	c := plan("")
	c.Rootless = true
	if err := create2(t, c); err != nil {
		t.Error("rootless:", err)
	}
}

func unprivileged(t *testing.T) {
	if err := unix.Setuid(65534); err != nil {
		t.Fatal(err)
	}
	rootless(t)
}

// rootless tests a container that may not create cgroups.
func rootless(t *testing.T) {
	c := plan("")
	c.Rootless = true
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	if p := m.Paths(); len(p) != 0 {
		t.Errorf("has paths %q", p)
	}
	p, err := m.Placement()
	if err != nil || len(p.Tasks) != 0 || p.Dir != nil {
		t.Errorf("placement %+v, %v", p, err)
	}
	if err := m.SetDevices(nil); err != nil {
		t.Error(err)
	}
	if err := m.Set(&specs.LinuxResources{}); err != nil {
		t.Error(err)
	}
	err = m.Set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: num(int64(5))}})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: ") || !cgroupfs.Permission(err) {
		t.Errorf("got %v", err)
	}
	if err := m.Kill(); !errors.Is(err, ErrNoCgroup) {
		t.Errorf("got %v", err)
	}
	if err := m.Destroy(); err != nil {
		t.Error(err)
	}
	c.Path = unique(t)
	if err := create2(t, c); err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: mkdir ") {
		t.Errorf("got %v", err)
	}
}

func live(t *testing.T, mode Mode) {
	t.Run("life", func(t *testing.T) { testLife(t, mode) })
	t.Run("birthplace", testBirthplace)
	t.Run("cgroup of another", testCgroupOfAnother)
	t.Run("claims", testClaims)
	t.Run("found", testFound)
	t.Run("unclaimed", testUnclaimed)
	t.Run("freeze", testFreeze)
	t.Run("kill", testKill)
	t.Run("straggler", testStraggler)
	t.Run("nested", testNested)
	t.Run("failure", testFailure)
	t.Run("undo", testUndo)
	t.Run("devices", testDevices)
	t.Run("limits", func(t *testing.T) { testLimits(t, mode) })
	t.Run("paths", testPaths)
	t.Run("subgroup", func(t *testing.T) { testSubgroup(t, mode) })
}

var counter atomic.Int32

// unique returns an unused absolute cgroup path with two parts. Nothing may be left of it after
// the test.
func unique(t *testing.T) string {
	t.Helper()
	parent := fmt.Sprintf("/berth-test-%d-%d", os.Getpid(), counter.Add(1))
	t.Cleanup(func() {
		left, _ := filepath.Glob(cgroupfs.Root + "/*" + parent)
		if d := cgroupfs.Root + parent; cgroupfs.Dir(d).Exists() {
			left = append(left, d)
		}
		for _, d := range left {
			if sub, _ := filepath.Glob(d + "/*/cgroup.procs"); len(sub) > 0 {
				t.Errorf("left behind: %s", sub)
			}
			if err := cgroupfs.Dir(d).Remove(time.Now().Add(time.Second)); err != nil {
				t.Error(err)
			}
		}
	})
	return parent + "/c"
}

func plan(path string) *configs.Cgroup {
	return &configs.Cgroup{Path: path, Resources: &specs.LinuxResources{}}
}

// create creates cgroups that are destroyed at the end of the test.
func create(t *testing.T, c *configs.Cgroup) Manager {
	t.Helper()
	m, err := New(c, "id")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// run starts a process and places it like init, except that on v1 the parent writes to the
// tasks files. Then the process gets a line on its stdin.
func run(t *testing.T, m Manager, args ...string) *exec.Cmd {
	t.Helper()
	p, err := m.Placement()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(args[0], args[1:]...)
	in, gate, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = in
	if p.Dir != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(p.Dir.Fd())}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		gate.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, f := range p.Tasks {
		if _, err := f.WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
			t.Fatal(f.Name(), err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := gate.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	return cmd
}
