// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

func namespaceOf(t testing.TB, pid any, kind string) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%v/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestRunInNewNamespaces(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	out := run(t, &Options{NewNamespaces: allNew | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME},
		shell(t, "echo $$; for n in mnt pid uts ipc net cgroup time; do readlink /proc/self/ns/$n; done"))
	lines := strings.Split(out, "\n")
	if len(lines) != 8 || lines[0] != "1" {
		t.Fatalf("output %q", out)
	}
	for n, kind := range []string{"mnt", "pid", "uts", "ipc", "net", "cgroup", "time"} {
		if lines[n+1] == namespaceOf(t, "self", kind) {
			t.Errorf("%s is the host's", kind)
		}
	}
}

func TestInitWhileItWaits(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	leaked, err := unix.Open("/", unix.O_RDONLY, 0) // not CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaked)
	i := start(t, &Options{NewNamespaces: allNew, ProcContexts: 2, NamespaceFDs: true})
	inside, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if err := i.Configure(shell(t, "exit")); err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", i.PID)
	if comm, _ := os.ReadFile(proc + "comm"); string(comm) != InitName+"\n" {
		t.Errorf("comm %q", comm)
	}
	if env, err := os.ReadFile(proc + "environ"); err != nil || len(env) != 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	if cwd, _ := os.Readlink(proc + "cwd"); cwd != "/" {
		t.Errorf("cwd %q", cwd)
	}
	// Undumpable: the files in /proc belong to root of the initial namespace, and nobody else
	// may read them.
	if exe, _ := os.Readlink(proc + "exe"); exe != "/memfd:berth-init (deleted)" {
		t.Errorf("exe %q", exe)
	}
	if f, err := os.OpenFile(proc+"exe", os.O_WRONLY, 0); err == nil {
		f.Close()
		t.Error("the program can be opened for writing")
	}
	// Its standard streams and the socket. Its directory in the host's /proc would lead to the
	// host.
	files, err := os.ReadDir(proc + "fd")
	if err != nil || len(files) != 4 {
		t.Errorf("descriptors %v, %v", files, err)
	}
	status := statusOf(t, proc+"status")
	if status["SigIgn"] != "0000000000001000" || status["SigBlk"] != "0000000000000000" {
		t.Errorf("ignored %s, blocked %s", status["SigIgn"], status["SigBlk"])
	}
}

func TestSealedImage(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	fd, err := image(100)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if fd < 100 {
		t.Errorf("fd %d", fd)
	}
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	want := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if err != nil || seals&want != want {
		t.Errorf("seals %#x, %v", seals, err)
	}
	if _, err := unix.Pwrite(fd, []byte{0}, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write: %v", err)
	}
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("not CLOEXEC")
	}
}

// The program gets its standard streams, the extra files, and nothing else, not
// even what an engine left open in the runtime.
func TestDescriptors(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	leaked, err := unix.Open("/", unix.O_RDONLY, 0) // not CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaked)
	extra := filepath.Join(t.TempDir(), "extra")
	f, err := os.Create(extra)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tt := range []struct {
		name  string
		extra []*os.File
		want  string
	}{
		{"none", nil, "0 1 2"},
		{"two", []*os.File{f, f}, "0 1 2 3 4"},
		{"with a gap", []*os.File{f, nil, f}, "0 1 2 3 5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The shell itself reads the list: the descriptor for the glob does not exist any
			// more when it is checked.
			p := shell(t, `cd /proc/self/fd && for f in *; do [ -e "/proc/self/fd/$f" ] && printf '%s ' $f; done; readlink /proc/self/fd/0`)
			out := run(t, &Options{NewNamespaces: allNew, ExtraFiles: tt.extra}, p)
			if want := tt.want + " /dev/null"; out != want {
				t.Errorf("descriptors %q, want %q", out, want)
			}
		})
	}
}

func TestStdio(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	stdin, feed := pipe(t)
	if _, err := feed.WriteString("from outside\n"); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	o := &Options{NewNamespaces: allNew}
	o.Stdio[0] = stdin
	if out := run(t, o, shell(t, "read line; echo got $line; echo error >&2")); out != "got from outside\nerror" {
		t.Errorf("output %q", out)
	}
}

// Signals that this process ignores are not ignored by the user's program.
func TestSignalsAreReset(t *testing.T) {
	requireInit(t)
	if os.Getenv("NSENTER_TEST_CHILD") == "" {
		// In a child that was started with an ignored and a blocked signal.
		runSelf(t, "trap '' HUP; exec \"$0\" \"$@\"")
		return
	}
	out := parseStatus(run(t, nil, rootPlan(t, "cat", "/proc/self/status")))
	for _, f := range []string{"SigBlk", "SigIgn", "SigCgt"} {
		if strings.Trim(out[f], "0") != "" {
			t.Errorf("%s is %s", f, out[f])
		}
	}
}

// The program gets the soft limit that this process was started with, and not
// the hard one to which Go has raised it for itself.
func TestOpenFilesLimit(t *testing.T) {
	requireInit(t)
	if os.Getenv("NSENTER_TEST_CHILD") == "" {
		runSelf(t, "ulimit -Sn 123; exec \"$0\" \"$@\"")
		return
	}
	if out := run(t, nil, shell(t, "ulimit -Sn")); out != "123" {
		t.Errorf("soft limit %s", out)
	}
}

// runSelf runs the calling test again, in a child behind a shell.
func runSelf(t *testing.T, script string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script, self, "-test.run=^" + t.Name() + "$", "-test.v"},
		&os.ProcAttr{Env: append(os.Environ(), "NSENTER_TEST_CHILD=1"), Files: []*os.File{nil, w, w}})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	var out bytes.Buffer
	_, _ = out.ReadFrom(r)
	state, err := p.Wait()
	if err != nil || !state.Success() || !strings.Contains(out.String(), "--- PASS") {
		t.Errorf("%v %v\n%s", state, err, out.String())
	}
}

func TestStartFails(t *testing.T) {
	requireInit(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"bad flags", Options{NewNamespaces: unix.CLONE_FS | unix.CLONE_NEWNS}, "new namespaces 0x20200: invalid argument"},
		{"no cgroup directory", Options{CgroupDir: null}, "start init: bad file descriptor"},
		{"too many joins", Options{Joins: make([]Join, 17)}, "17 namespaces to join"},
		{"too many contexts", Options{ProcContexts: 65}, "65 mounts of type proc"},
		{"long offsets", Options{TimeOffsets: strings.Repeat("x", 257)}, "time offsets of 257 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			i, err := Start(&tt.o)
			if err == nil {
				_ = i.Abort()
				_ = i.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestStartFailsToJoinFromThread(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	onThread(func() {
		o := &Options{ThreadJoins: []Join{{Type: unix.CLONE_NEWNET, FD: null}}}
		if _, err := Start(o); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "setns /dev/null") {
			t.Errorf("error %v", err)
		}
	})
}

// When the runtime ends, so does an init that is not configured.
func TestCloseEndsInit(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, configured := range []bool{false, true} {
		i, err := Start(&Options{NewNamespaces: allNew})
		if err != nil {
			t.Fatal(err)
		}
		if configured {
			if err := i.Configure(shell(t, "exit 7")); err != nil {
				t.Fatal(err)
			}
		} else if _, err := i.Namespaces(); err != nil {
			t.Fatal(err)
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
		within(t, "init without a runtime", func() {
			if status := wait(t, i); !status.Exited() || status.ExitStatus() != 1 {
				t.Errorf("configured %v: ended with %#x", configured, status)
			}
		})
	}
}

func TestAbort(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i, err := Start(&Options{NewNamespaces: allNew})
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		if _, err := i.Namespaces(); err != nil {
			waiting <- err
			return
		}
		_, err := i.await(wire.Ready)
		waiting <- err
	}()
	if err := i.Abort(); err != nil {
		t.Error(err)
	}
	within(t, "a wait for a killed init", func() {
		if err := <-waiting; !errors.Is(err, ErrInitGone) {
			t.Errorf("error %v", err)
		}
	})
	if err := i.Abort(); err != nil {
		t.Errorf("second Abort: %v", err)
	}
	if err := i.Configure(shell(t, "")); !errors.Is(err, ErrInitGone) {
		t.Errorf("Configure: %v", err)
	}
	if err := i.Proceed(); !errors.Is(err, ErrInitGone) {
		t.Errorf("Proceed: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(i.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", i.PID, err)
	}
}

// Tests that ForkExec never overwrites the program when it moves descriptors, whatever their
// numbers are.
func TestFreeNumber(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, count := range []int{0, 1, 5, 40} {
		extra := make([]*os.File, count)
		for n := range extra {
			extra[n] = null // low numbers, which have to be moved up first
		}
		if out := run(t, &Options{NewNamespaces: allNew, ExtraFiles: extra}, rootPlan(t, "echo", "ok")); out != "ok" {
			t.Errorf("%d extra files: %q", count, out)
		}
	}
}

func TestLargePlan(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := shell(t, "echo ${#V0} ${#V19}")
	for n := range 20 {
		p.Env = append(p.Env, fmt.Sprintf("V%d=%s", n, strings.Repeat("x", 100_000)))
	}
	if out := run(t, nil, p); out != "100000 100000" {
		t.Errorf("output %q", out)
	}
	p.Env = append(p.Env, "TOO="+strings.Repeat("x", 200_000)) // over MAX_ARG_STRLEN
	i := start(t, &Options{NewNamespaces: allNew})
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	if err := i.Proceed(); err == nil || err.Error() != "exec /bin/sh: argument list too long" {
		t.Errorf("Proceed: %v", err)
	}
}
