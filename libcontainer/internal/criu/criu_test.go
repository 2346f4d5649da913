// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// The test binary also acts as criu if it is called in that way. It then does what its
// environment says.
const scriptVariable = "BERTH_TEST_CRIU"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "swrk" {
		fd, err := strconv.Atoi(os.Args[2])
		if err != nil {
			os.Exit(2)
		}
		os.Exit(fakeCriu(fd, strings.Fields(os.Getenv(scriptVariable))))
	}
	os.Exit(m.Run())
}

// fakeCriu executes the words of the script in order.
func fakeCriu(sock int, script []string) int {
	data := make([]byte, maxMessage)
	n, err := unix.Read(sock, data)
	var req rpc.CriuReq
	if err != nil || req.UnmarshalVT(data[:n]) != nil {
		return 3
	}
	answer := func(r *rpc.CriuResp, rights []byte) {
		data, err := r.MarshalVT()
		if err == nil {
			err = unix.Sendmsg(sock, data, rights, nil, 0)
		}
		if err != nil {
			os.Exit(4)
		}
	}
	yes, no := true, false
	typ := req.GetType()
	for _, word := range script {
		switch word {
		case "die":
			return 1
		case "complain":
			fmt.Fprintln(os.Stderr, "criu: error while loading\n  shared libraries")
			return 127
		case "refuse":
			answer(&rpc.CriuResp{Type: &typ, Success: &no, CrErrno: new(int32(2)), CrErrmsg: new("a reason")}, nil)
		case "version":
			answer(&rpc.CriuResp{Type: &typ, Success: &yes, Version: &rpc.CriuVersion{
				MajorNumber: new(int32(4)), MinorNumber: new(int32(1)), Sublevel: new(int32(1)),
			}}, nil)
		case "done":
			answer(&rpc.CriuResp{Type: &typ, Success: &yes}, nil)
		case "other":
			answer(&rpc.CriuResp{Type: new(rpc.CriuReqType_CHECK), Success: &yes}, nil)
		case "garbage":
			_, _ = unix.Write(sock, []byte("\xff\xff\xff"))
		default:
			var rights []byte
			if word == "orphan-pts-master" {
				// The first file that was passed.
				rights = unix.UnixRights(firstFile)
			}
			notify := rpc.CriuReqType_NOTIFY
			answer(&rpc.CriuResp{Type: &notify, Success: &yes, Notify: &rpc.CriuNotify{Script: &word, Pid: new(int32(42))}}, rights)
			n, err := unix.Read(sock, data)
			if err != nil || n == 0 || req.UnmarshalVT(data[:n]) != nil {
				return 5
			}
			if !req.GetNotifySuccess() {
				answer(&rpc.CriuResp{Type: &typ, Success: &no}, nil)
				return 1
			}
		}
	}
	return 0
}

// newTask returns a task for a fake criu.
func newTask(t *testing.T, script string) *Task {
	t.Helper()
	t.Setenv(scriptVariable, script)
	return &Task{Path: "/proc/self/exe", Type: rpc.CriuReqType_RESTORE, Opts: &rpc.CriuOpts{ImagesDirFd: new(int32(-1))}, OwnGroup: true}
}

func TestRun(t *testing.T) {
	task := newTask(t, "pre-restore post-restore done")
	var steps []string
	started := 0
	task.Started = func(criu *os.Process) error { started = criu.Pid; return nil }
	task.Notify = func(step string, pid int, file *os.File) error {
		if pid != 42 || file != nil {
			t.Errorf("%s: pid %d, file %v", step, pid, file)
		}
		steps = append(steps, step)
		return nil
	}
	if err := task.Run(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(steps, []string{"pre-restore", "post-restore"}) || started == 0 {
		t.Errorf("steps %q, started %d", steps, started)
	}
	if !task.Opts.GetNotifyScripts() {
		t.Error("criu is not asked for notifications")
	}
	// Run has reaped it.
	if err := unix.Kill(started, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("criu is still there: %v", err)
	}
}

func TestRunReceivesFile(t *testing.T) {
	task := newTask(t, "orphan-pts-master done")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := task.Pass(w); n != firstFile {
		t.Fatalf("the number of the file is %d", n)
	}
	task.Notify = func(_ string, _ int, file *os.File) error {
		if file == nil {
			return errors.New("no file")
		}
		_, err := file.WriteString("through")
		return errors.Join(err, file.Close(), w.Close())
	}
	if err := task.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "through" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		script        string
		notify, start error
		is            error
		text          string
	}{
		"refused":         {script: "refuse", text: "type RESTORE errno 2: a reason"},
		"dead":            {script: "die", is: ErrGone, text: "criu has died (exit status 1)"},
		"its own words":   {script: "complain", is: ErrGone, text: "criu has died (exit status 127): criu: error while loading shared libraries"},
		"dead later":      {script: "pre-restore die", is: ErrGone},
		"garbage":         {script: "garbage", text: "a message of criu"},
		"another answer":  {script: "other", text: "criu has answered CHECK to RESTORE"},
		"notify refused":  {script: "pre-restore done", notify: broken, is: broken},
		"started refused": {script: "done", start: broken, is: broken},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, test.script)
			task.Notify = func(string, int, *os.File) error { return test.notify }
			task.Started = func(*os.Process) error { return test.start }
			err := task.Run()
			if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want %v %s", err, test.is, test.text)
			}
			if errors.Is(test.is, broken) && errors.As(err, new(*Refused)) {
				t.Errorf("the error %v does not have the reason", err)
			}
		})
	}
	missing := &Task{Path: "/nonexistent/criu", Opts: &rpc.CriuOpts{}}
	if err := missing.Run(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without criu: %v", err)
	}
}

func TestVersion(t *testing.T) {
	t.Setenv(scriptVariable, "version")
	if v, err := versionOf("/proc/self/exe"); err != nil || v != 40101 {
		t.Errorf("version %d, %v", v, err)
	}
	t.Setenv(scriptVariable, "die")
	if _, err := versionOf("/proc/self/exe"); !errors.Is(err, ErrGone) {
		t.Errorf("of a dead criu: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := find(""); err == nil || !strings.Contains(err.Error(), "executable file not found in $PATH") {
		t.Errorf("without criu: %v", err)
	}
	path := filepath.Join(dir, "criu")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{"", path} {
		if got, err := find(named); err != nil || got != path {
			t.Errorf("%q: %q, %v", named, got, err)
		}
	}
}
