// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
)

// TestStartFromHere: the thread that has started init in another pid namespace is in its
// own again, or no Go program could go on with it.
func TestStartFromHere(t *testing.T) {
	missing := t.Skip
	if os.Getenv("CI") != "" {
		missing = t.Fatal
	}
	if os.Geteuid() != 0 {
		missing("needs root, to make a pid namespace")
	}
	if _, err := os.Stat("../nsenter/init-" + runtime.GOARCH + ".bin"); err != nil {
		missing("init is not built:", err)
	}
	pidfd := -1
	target := exec.Command("sleep", "1000")
	target.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, PidFD: &pidfd}
	if err := target.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := target.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := target.Wait(); err == nil {
			t.Error("sleep has ended by itself")
		}
	}()
	ns := os.NewFile(uintptr(pidfd), "target")
	defer ns.Close()
	noCgroup, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer noCgroup.Close()

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, o := range map[string]*nsenter.Options{
		"started": {PIDNamespace: ns, Deferred: true},
		"refused": {PIDNamespace: ns, Deferred: true, CgroupDir: noCgroup},
	} {
		init, err := startFromHere(o)
		if (err == nil) != (name == "started") {
			t.Errorf("%s: %v", name, err)
		}
		if init != nil {
			if err := errors.Join(init.Abort(), init.Close()); err != nil {
				t.Error(err)
			}
		}
		own, err := os.Readlink("/proc/self/ns/pid")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink("/proc/thread-self/ns/pid_for_children"); err != nil || got != own {
			t.Errorf("%s: the thread's children would be in %s, %v; not in %s", name, got, err, own)
		}
	}
}

// TestTargetEnded: a container that is going tells why its exec failed, not what the kernel
// says of a process that it kills.
func TestTargetEnded(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	st, err := readProcStat(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{saved: savedState{PID: child.Process.Pid, StartTime: st.startTime}}
	x := &execution{c: c, p: &configs.Process{}}
	if x.target, err = c.openInit(); err != nil {
		t.Fatal(err)
	}
	defer x.target.Close()
	killed := fmt.Errorf("x: %w", nsenter.ErrInitGone)
	if err := x.explain(killed); errors.Is(err, errStopped) {
		t.Errorf("of a living container: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A zombie is on its way out as well.
	if _, err := pollExit(x.target, time.Now().Add(killPatience)); err != nil {
		t.Fatal(err)
	}
	if err := x.explain(killed); !errors.Is(err, errStopped) {
		t.Errorf("of one that has just ended: %v", err)
	}
	_ = child.Wait() // killed
	if err := x.explain(killed); !errors.Is(err, errStopped) {
		t.Errorf("of one that was reaped: %v", err)
	}
}

// TestPidsLimit: the limit is told when it has been reached.
func TestPidsLimit(t *testing.T) {
	for _, test := range []struct{ limit, used, want string }{
		{"max\n", "7\n", ""},
		{"7\n", "6\n", ""},
		{"7\n", "7\n", "7"},
		{"7\n", "8\n", "7"},
		{"7\n", "10\n", "7"},
		{"10\n", "7\n", ""},
		{"10\n", "", ""},
		{"", "7\n", ""},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"pids.max": test.limit, "pids.current": test.used} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, paths := range []map[string]string{{"": dir}, {"": "/none", "pids": dir}} {
			c := &Container{saved: savedState{CgroupPaths: paths}}
			if got := c.pidsLimit(); got != test.want {
				t.Errorf("%q of %q: got %q, want %q", test.used, test.limit, got, test.want)
			}
		}
	}
}
