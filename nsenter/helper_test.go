// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The main thread is locked to the main goroutine, which runs no test: some tests change the
// thread they run on, and /proc/self is the main one.
func init() { runtime.LockOSThread() }

// requireInit skips the test if init cannot be run: it must have been built, and most tests
// need root. Under CI neither may be missing.
func requireInit(t testing.TB) {
	t.Helper()
	skip := t.Skip
	if os.Getenv("CI") != "" {
		skip = t.Fatal
	}
	if _, err := initFiles.ReadFile(initFile); err != nil {
		skip("init is not built: make nsenter/" + initFile)
	}
	if os.Geteuid() != 0 {
		skip("needs root, to make namespaces and switch users")
	}
}

const allNew = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET

// openFiles lists this process's descriptors, for leaks.
func openFiles(t testing.TB) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			files[e.Name()] = target
		}
	}
	return files
}

// checkLeaks fails the test when it ends with more descriptors or children than
// it began with.
func checkLeaks(t testing.TB) {
	t.Helper()
	before := openFiles(t)
	t.Cleanup(func() {
		for fd, target := range openFiles(t) {
			if _, ok := before[fd]; !ok && !strings.HasPrefix(target, "anon_inode:[event") {
				t.Errorf("fd %s -> %s was left open", fd, target)
			}
		}
		if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); !errors.Is(err, unix.ECHILD) {
			t.Errorf("a child is left (waitid: %v)", err)
		}
	})
}

// capabilities returns all capabilities that this process has.
func capabilities(t testing.TB) uint64 {
	t.Helper()
	return parseHex(t, statusOf(t, "/proc/self/status")["CapPrm"])
}

func parseHex(t testing.TB, s string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func statusOf(t testing.TB, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseStatus(string(data))
}

// parseStatus splits lines of "name: value".
func parseStatus(text string) map[string]string {
	fields := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	return fields
}

// rootPlan returns a plan that runs args as root with all capabilities of this process.
func rootPlan(t testing.TB, args ...string) *Plan {
	all := capabilities(t)
	return &Plan{
		Args: args, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Cwd: "/", SetGroups: true, Umask: 0o22,
		Bounding: all, Effective: all, Permitted: all,
	}
}

// reachableDir is a temporary directory that every user can reach, even where TMPDIR is not.
func reachableDir(t *testing.T) string {
	t.Helper()
	for dir := os.TempDir(); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err != nil || st.Mode()&0o001 == 0 {
			t.Setenv("TMPDIR", "/tmp")
			break
		}
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func shell(t testing.TB, script string) *Plan { return rootPlan(t, "/bin/sh", "-c", script) }

// wait reaps init.
func wait(t testing.TB, i *Init) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(i.PID, &status, 0, nil)
		if err == nil {
			return status
		}
		if !errors.Is(err, syscall.EINTR) {
			t.Fatalf("wait4: %v", err)
		}
	}
}

// pipe makes a pipe whose ends are closed with the test.
func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// start starts init, and ends it with the test.
func start(t testing.TB, o *Options) *Init {
	t.Helper()
	i, err := Start(o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := i.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
		if err := i.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return i
}

// run starts init, lets it exec the plan's program and returns what that printed.
// Its exit status must be 0.
func run(t testing.TB, o *Options, p *Plan) string {
	t.Helper()
	r, w := pipe(t)
	if o == nil {
		o = &Options{NewNamespaces: allNew}
	}
	o.Stdio[1], o.Stdio[2] = w, w
	i := start(t, o)
	w.Close()
	if err := i.Configure(p); err != nil {
		t.Fatalf("Configure: %v", err)
	}
	if err := i.Proceed(); err != nil {
		t.Fatalf("Proceed: %v", err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if status := wait(t, i); status.ExitStatus() != 0 {
		t.Fatalf("exit status %#x, output %q", status, out)
	}
	return string(bytes.TrimSpace(out))
}

// configureError starts init and returns the error of Configure, which must be
// a *StepError.
func configureError(t testing.TB, o *Options, p *Plan) *StepError {
	t.Helper()
	if o == nil {
		o = &Options{NewNamespaces: allNew}
	}
	i := start(t, o)
	err := i.Configure(p)
	var step *StepError
	if !errors.As(err, &step) {
		t.Fatalf("Configure: %v, want a *StepError", err)
	}
	// It has ended by itself, so a caller need not kill it.
	if status := wait(t, i); !status.Exited() || status.ExitStatus() != 1 {
		t.Errorf("init ended with %#x", status)
	}
	return step
}

// fifos makes the fifos between init and `start`, and returns the path of the reports.
func fifos(t testing.TB) (path string, both *[2]*os.File) {
	t.Helper()
	both = new([2]*os.File)
	dir := t.TempDir()
	for n, name := range []string{"exec.fifo", "exec.report"} {
		path = filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		both[n] = os.NewFile(uintptr(fd), path)
	}
	t.Cleanup(func() { both[0].Close(); both[1].Close() })
	return path, both
}

// openFifo opens the reports and releases init, as `start` does.
func openFifo(t testing.TB, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	fifo, err := unix.Open(filepath.Join(filepath.Dir(path), "exec.fifo"), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENXIO) {
		return fd // no reader is left
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fifo)
	if err := LetGo(fifo); err != nil {
		t.Fatal(err)
	}
	return fd
}

// onThread runs f on a separate thread that ends afterwards.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		f()
	}()
	<-done
}

// within fails the test if f hangs.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}
