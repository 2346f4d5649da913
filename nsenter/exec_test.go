// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The texts are those of Go's os/exec: engines match them literally.
func TestLookUpErrors(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "plain"), []byte("#!/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "root-only"), []byte("#!/bin/sh\n"), 0o700),
		os.Mkdir(filepath.Join(dir, "hidden"), 0o700),
		os.WriteFile(filepath.Join(dir, "hidden/tool"), []byte("#!/bin/sh\n"), 0o755),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o777),
		os.Symlink("loop", filepath.Join(dir, "loop")),
		os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const notFound = `exec: %q: executable file not found in $PATH`
	for _, tt := range []struct {
		name, arg string
		env       []string
		want      string // with %q or %s for the argument
		errno     syscall.Errno
	}{
		{"not in PATH", "nope", []string{"PATH=/bin:/usr/bin"}, notFound, syscall.ENOENT},
		{"not in the default PATH", "nope", nil, notFound, syscall.ENOENT},
		{"empty PATH", "sh", []string{"PATH="}, notFound, syscall.ENOENT},
		{"PATH of one that is not there", "sh", []string{"PATH=/nope"}, notFound, syscall.ENOENT},
		{"only a directory in PATH", "hidden", []string{"PATH=" + dir}, notFound, syscall.ENOENT},
		{"only a plain file in PATH", "plain", []string{"PATH=" + dir}, notFound, syscall.ENOENT},
		{"empty name", "", []string{"PATH=/bin"}, notFound, syscall.ENOENT},
		{"another variable", "sh", []string{"XPATH=/bin", "PATH=/nope"}, notFound, syscall.ENOENT},
		{"long PATH", "sh", []string{"PATH=/" + strings.Repeat("x", 5000)}, notFound, syscall.ENOENT},
		{"no such file", "/nope", nil, "exec: %q: stat %s: no such file or directory", syscall.ENOENT},
		{"below a file", "/etc/passwd/x", nil, "exec: %q: stat %s: not a directory", syscall.ENOTDIR},
		{"loop of links", dir + "/loop", nil, "exec: %q: stat %s: too many levels of symbolic links", syscall.ELOOP},
		{"a directory", "/etc", nil, "exec: %q: is a directory: permission denied", syscall.EISDIR},
		{"not executable", "/etc/passwd", nil, "exec: %q: permission denied", syscall.EACCES},
		{"a fifo", dir + "/pipe", nil, "exec: %q: permission denied", syscall.EACCES},
		{"not for this user", dir + "/root-only", nil, "exec: %q: permission denied", syscall.EACCES},
		{"in a directory of others", dir + "/hidden/tool", nil, "exec: %q: stat %s: permission denied", syscall.EACCES},
		{"relative", "./nope", nil, "exec: %q: stat %s: no such file or directory", syscall.ENOENT},
		{"quoted", "/no\npe\x1b", nil, `exec: "/no\\npe\\x1b": stat /no\npe\x1b: no such file or directory`, syscall.ENOENT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &Plan{Args: []string{tt.arg}, Env: tt.env, Cwd: "/", UID: 1000, GID: 1000}
			step := configureError(t, nil, p)
			want := tt.want
			if strings.Contains(want, "%") {
				want = strings.ReplaceAll(strings.ReplaceAll(want, "%q", `"`+tt.arg+`"`), "%s", tt.arg)
			}
			if step.Error() != want {
				t.Errorf("error %s\nwant  %s", step, want)
			}
			if !errors.Is(step, tt.errno) {
				t.Errorf("errno %v, want %v", step.Errno, tt.errno)
			}
		})
	}
}

func TestLookUp(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a": 0o755, "b": 0o755, "off": 0o644} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "tool"), []byte("#!/bin/sh\necho "+name+" $0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(sub, "tool"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, arg, path, want string }{
		{"first one", "tool", dir + "/a:" + dir + "/b", "a " + dir + "/a/tool"},
		{"skips what cannot be executed", "tool", dir + "/nope:" + dir + "/off:" + dir + "/b", "b " + dir + "/b/tool"},
		{"empty element", "tool", ":" + dir + "/b", "a ./tool"},
		{"empty last element", "tool", dir + "/off:", "a ./tool"},
		{"with a slash", "../b/tool", dir + "/a", "b ../b/tool"},
		{"absolute", dir + "/b/tool", "", "b " + dir + "/b/tool"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := rootPlan(t, tt.arg)
			p.Env, p.Cwd = []string{"PATH=" + tt.path}, dir+"/a"
			if out := run(t, nil, p); out != tt.want {
				t.Errorf("output %q, want %q", out, tt.want)
			}
		})
	}
	p := rootPlan(t, "sh", "-c", "echo found")
	p.Env = nil
	if out := run(t, nil, p); out != "found" {
		t.Errorf("default PATH: %q", out)
	}
}

// An old profile, which does not know faccessat2, must not stop the look-up.
func TestLookUpWithoutFaccessat2(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		p := rootPlan(t, "true")
		p.Seccomp = filter(unix.SYS_FACCESSAT2, refuse(errno))
		run(t, nil, p)
		p.Args = []string{"/etc/passwd"}
		if step := configureError(t, nil, p); !errors.Is(step, unix.EACCES) {
			t.Errorf("error %v", step)
		}
	}
}

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

// A program's path through a descriptor of init's leads out of the container as
// long as that is open (CVE-2024-21626); at the exec none is.
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
		t.Error("no descriptor of init's leads anywhere: the test tests nothing")
	}
}

// created starts an init that waits on an exec fifo, with its connection closed,
// and returns the path of the fifo.
func created(t *testing.T, o *Options, p *Plan) (*Init, string) {
	t.Helper()
	path, opath := fifo(t)
	p.ExecFifo = opath
	if o == nil {
		o = &Options{NewNamespaces: allNew}
	}
	i, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	// As when `create` ends. The pidfd is kept, for AwaitExec.
	defer i.sock.Close()
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
	// 3 is the shell's own, of the directory that it lists.
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

// Of two that let init go, the second one must not wait for what the first has heard.
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

// Killed while somebody waits for the exec.
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

// Killed between its last word and the exec: here by a filter, in life by the
// OOM killer when the limit has no room for the program.
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

// A reader that goes away has let the container go all the same: the missing
// reader must not kill the program with SIGPIPE.
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
	// Blocking, so that it meets init for certain before it goes.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil || string(out) != "SigIgn:\t0000000000000000\ncat\n" {
		t.Errorf("output %q, %v", out, err)
	}
}

// AwaitExec puts records together however the fifo cuts them.
func TestAwaitExecInPieces(t *testing.T) {
	checkLeaks(t)
	path, _ := fifo(t)
	f := openFifo(t, path)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	self := os.NewFile(uintptr(pidfd), "pidfd")
	defer self.Close()
	r := wireReport{Magic: wireMagic, Kind: wireExec}
	data := append([]byte(nil), bytesOf(&r)...)
	r = wireReport{Magic: wireMagic, Kind: wireFailed, Step: 32, Error: int32(unix.ENOEXEC), DetailSize: 4}
	data = append(append(data, bytesOf(&r)...), "/x/y"...)
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

// Whom the announcement was for may have been killed: the end alone tells the next one.
func TestAwaitExecUnheard(t *testing.T) {
	checkLeaks(t)
	path, _ := fifo(t)
	f := openFifo(t, path)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	self := os.NewFile(uintptr(pidfd), "pidfd")
	defer self.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := AwaitExec(f, os.Getpid(), self); err != nil {
		t.Errorf("AwaitExec: %v", err)
	}
}

func TestHooks(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	state := `{"id":"x","pad":"` + strings.Repeat("p", 100_000) + `"}`
	script := fmt.Sprintf(`{ echo "$0 $1 $A"; cat | wc -c; pwd; grep SigIgn /proc/self/status; [ -e /proc/self/fd/4 ] || echo no extra; } >>%s`, log)
	p := shell(t, "cat "+log)
	p.Cwd, p.HookState = dir, []byte(state)
	p.Hooks = []Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", script, "first", "arg"}, Env: []string{"A=1"}, TimeoutSeconds: 10},
		{Path: "/bin/true"},
		{Path: "/bin/sh", Args: []string{"sh", "-c", script, "second"}},
	}
	const signals = "SigIgn:\t0000000000000000\nno extra"
	want := fmt.Sprintf("first arg 1\n%d\n%s\n%s\nsecond  \n%d\n%s\n%s", len(state), dir, signals, len(state), dir, signals)
	extra, _ := pipe(t) // the program's, but not the hooks'
	if out := run(t, &Options{NewNamespaces: allNew, ExtraFiles: []*os.File{extra, extra}}, p); out != want {
		t.Errorf("output %q, want %q", out, want)
	}
}

// What a hook leaves running may hold its output; it is not waited for.
func TestHookOutput(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "echo", "program")
	p.Hooks = []Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", "head -c 1000000 /dev/zero; head -c 100000 /dev/zero >&2"}},
		{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 100 & echo $!"}},
	}
	within(t, "a hook with a child", func() {
		if out := run(t, nil, p); out != "program" {
			t.Errorf("output %q: a hook's is not the program's", out)
		}
	})
}

// A stream with a file of its own goes there; the other one is in the error.
func TestHookFiles(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, own := range []string{"stdout", "stderr", "both"} {
		t.Run(own, func(t *testing.T) {
			r, w := pipe(t)
			p := rootPlan(t, "true")
			p.Hooks = []Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo out; echo err >&2; exit 1"}}}
			inFile, inError := "out\nerr\n", ""
			if own != "stderr" {
				p.HookStdout, inFile, inError = w, "out\n", ": err"
			}
			if own != "stdout" {
				p.HookStderr, inFile, inError = w, "err\n", ": out"
			}
			if own == "both" {
				inFile, inError = "out\nerr\n", ""
			}
			i, path := created(t, nil, p)
			w.Close()
			if err := await(t, i, path); err == nil || err.Error() != "startContainer hook /bin/sh: exit status 1"+inError {
				t.Errorf("error %v, want it to end in %q", err, inError)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != inFile {
				t.Errorf("in the file %q, %v, want %q", got, err, inFile)
			}
		})
	}
}

func TestHookFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	sh := func(script string) Hook { return Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}} }
	slow := sh("echo waiting; exec sleep 100")
	slow.TimeoutSeconds = 1
	for _, tt := range []struct {
		name string
		hook Hook
		want string
	}{
		{"exit status", sh("exit 3"), "startContainer hook /bin/sh: exit status 3"},
		{"output", sh("echo one; echo two >&2; exit 1"), `startContainer hook /bin/sh: exit status 1: one\ntwo`},
		{"control characters", sh(`printf 'a\033[2Jb\377'; exit 1`), `startContainer hook /bin/sh: exit status 1: a\x1b[2Jb\xff`},
		{"signal", sh("kill -9 $$"), "startContainer hook /bin/sh: killed by signal 9"},
		{"missing", Hook{Path: "/nope"}, "startContainer hook /nope: no such file or directory"},
		{"not executable", Hook{Path: "/etc/passwd"}, "startContainer hook /etc/passwd: permission denied"},
		{"timeout", slow, "startContainer hook /bin/sh: timeout of 1 s exceeded: waiting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := rootPlan(t, "/nope/never")
			p.Args = []string{"true"}
			p.Hooks = []Hook{{Path: "/bin/true"}, tt.hook, sh("echo never")}
			i, path := created(t, nil, p)
			began := time.Now()
			err := await(t, i, path)
			if !errors.As(err, new(*StepError)) || err.Error() != tt.want {
				t.Errorf("AwaitExec: %v\nwant %s", err, tt.want)
			}
			if took := time.Since(began); tt.hook.TimeoutSeconds > 0 && took < time.Second {
				t.Errorf("killed after %v", took)
			}
			if status := wait(t, i); status.ExitStatus() != 1 {
				t.Errorf("init ended with %#x", status)
			}
		})
	}
}

func TestHookOutputIsCut(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.Hooks = []Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "yes | head -c 50000; exit 1"}}}
	i, path := created(t, nil, p)
	var step *StepError
	if err := await(t, i, path); !errors.As(err, &step) || !strings.Contains(step.Detail, `y\ny\ny`) {
		t.Fatalf("AwaitExec: %v", err)
	}
	if n := strings.Count(step.Detail, "y"); n < 1000 || n > 2000 {
		t.Errorf("%d lines of output", n)
	}
}

// At once, init waits for nobody, and Configure tells how the exec went.
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
	p.ExecFifo = w
	if err := start(t, &Options{}).Configure(p); err == nil {
		t.Error("at once and with a fifo")
	}
}
