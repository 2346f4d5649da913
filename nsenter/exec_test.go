// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

func TestProceedFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "not-a-program")
	if err := os.WriteFile(path, []byte("plain text\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	i := start(t, &Options{NewNamespaces: allNew})
	if err := i.Configure(rootPlan(t, path)); err != nil {
		t.Fatal(err)
	}
	if err := i.Proceed(); err == nil || err.Error() != "exec "+path+": exec format error" {
		t.Errorf("Proceed: %v", err)
	}
}

// A program's path through a descriptor of init would lead out of the container if that were open
// (CVE-2024-21626). None is open at the exec.
func TestExecThroughDescriptor(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	found := 0
	for fd := 3; fd < 12; fd++ {
		i := start(t, &Options{NewNamespaces: allNew})
		if err := i.Configure(rootPlan(t, fmt.Sprintf("/proc/self/fd/%d/root/bin/true", fd))); err != nil {
			continue
		}
		found++
		if err := i.Proceed(); !errors.Is(err, unix.ENOENT) {
			t.Errorf("Proceed with descriptor %d: %v", fd, err)
		}
	}
	if found == 0 {
		t.Error("no descriptor of init leads to a directory: the test proves nothing")
	}
}

// created starts an init that waits on an exec fifo, with its connection closed,
// and returns the path of the fifo.
func created(t *testing.T, o *Options, p *Plan) (*Init, string) {
	t.Helper()
	path, both := fifos(t)
	p.Fifos = both
	if o == nil {
		o = &Options{NewNamespaces: allNew}
	}
	i, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	// As at the end of `create`. The pidfd is kept for AwaitExec.
	defer i.sock.Close()
	defer both[0].Close()
	defer both[1].Close()
	t.Cleanup(func() {
		if err := errors.Join(i.Abort(), i.PIDFD.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	return i, path
}

func await(t *testing.T, i *Init, path string) error {
	t.Helper()
	f := openFifo(t, path)
	var err error
	within(t, "AwaitExec", func() { err = AwaitExec(f, i.PID, i.PIDFD) })
	return err
}

func TestFifo(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	r, w := pipe(t)
	o := &Options{NewNamespaces: allNew}
	o.Stdio[1] = w
	i, path := created(t, o, shell(t, "cd /proc/self/fd; echo *; sleep 100"))
	w.Close()
	if err := await(t, i, path); err != nil {
		t.Fatalf("AwaitExec: %v", err)
	}
	// 3 is the shell's own descriptor of the directory that it lists.
	out := make([]byte, 64)
	n, err := r.Read(out)
	if err != nil || string(out[:n]) != "0 1 2 3\n" {
		t.Errorf("descriptors %q, %v", out[:n], err)
	}
}

func TestFifoProgramEndsAtOnce(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i, path := created(t, nil, rootPlan(t, "true"))
	if err := await(t, i, path); err != nil {
		t.Errorf("AwaitExec: %v", err)
	}
	if status := wait(t, i); status != 0 {
		t.Errorf("status %#x", status)
	}
	if err := diedBeforeExec(i.PID, i.PIDFD, nil); err != nil {
		t.Errorf("reaped: %v", err)
	}
}

// If two release init, the second one must not wait for the report that the first has read.
func TestFifoStartedAlready(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i, path := created(t, nil, rootPlan(t, "sleep", "100"))
	if err := await(t, i, path); err != nil {
		t.Fatalf("AwaitExec: %v", err)
	}
	if err := await(t, i, path); !errors.Is(err, ErrStarted) {
		t.Errorf("a second AwaitExec: %v", err)
	}
}

func TestFifoExecFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/nope\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	i, fifo := created(t, nil, rootPlan(t, path))
	err := await(t, i, fifo)
	if !errors.As(err, new(*StepError)) || err.Error() != "exec "+path+": no such file or directory" {
		t.Errorf("AwaitExec: %v", err)
	}
}

func TestFifoInitGone(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i, path := created(t, nil, rootPlan(t, "true"))
	if err := unix.Kill(i.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := await(t, i, path); !errors.Is(err, ErrInitGone) {
		t.Errorf("AwaitExec of a killed init: %v", err)
	}
	if err := diedBeforeExec(i.PID, i.PIDFD, nil); !errors.Is(err, ErrInitGone) {
		t.Errorf("diedBeforeExec: %v", err)
	}
	wait(t, i)
	if err := await(t, i, path); !errors.Is(err, ErrInitGone) {
		t.Errorf("AwaitExec of a reaped init: %v", err)
	}
}

// Init is killed while somebody waits for the exec.
func TestFifoInitKilledInHook(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.Hooks = []Hook{{Path: "/bin/sleep", Args: []string{"sleep", "100"}}}
	i, path := created(t, nil, p)
	f := openFifo(t, path)
	result := make(chan error)
	go func() { result <- AwaitExec(f, i.PID, i.PIDFD) }()
	select {
	case err := <-result:
		t.Fatalf("AwaitExec during a hook: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := unix.Kill(i.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "AwaitExec", func() {
		if err := <-result; !errors.Is(err, ErrInitGone) {
			t.Errorf("AwaitExec: %v", err)
		}
	})
}

// Init is killed between its last message and the exec: here by a filter, and in practice by the
// OOM killer if the limit is too low for the program.
func TestFifoInitKilledInExec(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for range 20 { // both before and after init is a zombie
		p := rootPlan(t, "true")
		p.NoNewPrivileges, p.Seccomp = true, filter(unix.SYS_EXECVE, unix.SECCOMP_RET_KILL_PROCESS)
		i, path := created(t, nil, p)
		if err := await(t, i, path); !errors.Is(err, ErrInitGone) {
			t.Errorf("AwaitExec: %v", err)
		}
	}
	p := rootPlan(t, "true")
	p.NoNewPrivileges, p.Seccomp = true, filter(unix.SYS_EXECVE, unix.SECCOMP_RET_KILL_PROCESS)
	i := start(t, &Options{NewNamespaces: allNew})
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	if err := i.Proceed(); !errors.Is(err, ErrInitGone) {
		t.Errorf("Proceed: %v", err)
	}
}

// A reader that disappears has nevertheless released the container. The missing reader must not
// kill the program with SIGPIPE.
func TestFifoReaderGone(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	r, w := pipe(t)
	o := &Options{NewNamespaces: allNew}
	o.Stdio[1] = w
	p := shell(t, "grep SigIgn /proc/self/status; cat /proc/self/comm")
	p.Hooks = []Hook{{Path: "/bin/true"}}
	_, path := created(t, o, p)
	w.Close()
	if err := unix.Close(openFifo(t, path)); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil || string(out) != "SigIgn:\t0000000000000000\ncat\n" {
		t.Errorf("output %q, %v", out, err)
	}
}

// ownPidfd returns a pidfd of this process.
func ownPidfd(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { f.Close() })
	return f
}

// reportFifo returns the end that a start reads, and the end that init writes to.
func reportFifo(t *testing.T) (f int, w *os.File) {
	t.Helper()
	path, both := fifos(t)
	f = openFifo(t, path)
	both[0].Close()
	both[1].Close()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f, w
}

// AwaitExec joins records, however the fifo splits them.
func TestAwaitExecInPieces(t *testing.T) {
	checkLeaks(t)
	f, w := reportFifo(t)
	self := ownPidfd(t)
	r := wire.Report{Magic: wire.Magic, Kind: wire.Exec}
	data := append([]byte(nil), wire.Bytes(&r)...)
	r = wire.Report{Magic: wire.Magic, Kind: wire.Failed, Step: 32, Error: int32(unix.ENOEXEC), DetailSize: 4}
	data = append(append(data, wire.Bytes(&r)...), "/x/y"...)
	written := make(chan struct{})
	defer func() { <-written }()
	go func() {
		defer close(written)
		defer w.Close()
		for n := range data {
			if _, err := w.Write(data[n : n+1]); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := AwaitExec(f, os.Getpid(), self); err == nil || err.Error() != "exec /x/y: exec format error" {
		t.Errorf("AwaitExec: %v", err)
	}
}

// If the reader of the announcement was killed, the end of the fifo is enough for the next
// reader.
func TestAwaitExecUnheard(t *testing.T) {
	checkLeaks(t)
	f, w := reportFifo(t)
	self := ownPidfd(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := AwaitExec(f, os.Getpid(), self); err != nil {
		t.Errorf("AwaitExec: %v", err)
	}
}

// With AtOnce, init does not wait, and Configure reports the result of the exec.
func TestAtOnce(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	r, w := pipe(t)
	i := start(t, &Options{NewNamespaces: allNew, Stdio: [3]*os.File{nil, w, w}})
	w.Close()
	p := shell(t, "echo ran")
	p.AtOnce = true
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(r); string(out) != "ran\n" || err != nil {
		t.Errorf("output %q, %v", out, err)
	}
	if status := wait(t, i); status.ExitStatus() != 0 {
		t.Errorf("exit status %#x", status)
	}

	noProgram := filepath.Join(t.TempDir(), "noprogram")
	if err := os.WriteFile(noProgram, []byte("\x01\x02"), 0o755); err != nil {
		t.Fatal(err)
	}
	p = rootPlan(t, noProgram)
	p.AtOnce = true
	if step := configureError(t, nil, p); step.Step != steps[32] || !errors.Is(step, unix.ENOEXEC) {
		t.Errorf("error %v", step)
	}
	p.Fifos = &[2]*os.File{w, w}
	if err := start(t, &Options{}).Configure(p); err == nil {
		t.Error("at once and with a fifo")
	}
}
