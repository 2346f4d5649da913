// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a command may take: only what hangs takes so long.
const patience = 20 * time.Second

// watch sees what a runtime does.
type watch struct {
	*job
	o outcome
	// pid of the container's first process, as the pid file says.
	pid int
	// initStatus is how it has ended, when that was found by the way.
	initStatus *unix.WaitStatus
	// ready is what the container's program has said when it takes signals.
	ready [1]byte
	// said is what the last command has printed so far.
	said func() string
}

// result is what a command said.
type result struct {
	status         int
	stdout, stderr string
	hung           bool
}

func (r result) word() string {
	switch {
	case r.hung:
		return "hung"
	case r.status < 0:
		return "killed"
	}
	return strconv.Itoa(r.status)
}

// call runs a command of the runtime and waits for it; what its container prints goes to the
// files.
func (w *watch) call(stdout, stderr *os.File, args ...string) result {
	cmd := exec.Command(w.Path, append([]string{"--root", stateDir}, args...)...)
	cmd.Dir = bundleDir
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	in, out, err := os.Pipe()
	if err != nil {
		return result{status: -1, stderr: err.Error()}
	}
	out.Close()
	defer in.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, stdout, stderr
	if err := cmd.Start(); err != nil {
		return result{status: -1, stderr: err.Error()}
	}
	watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	return result{status: cmd.ProcessState.ExitCode(), hung: err != nil && !watchdog.Stop()}
}

// ask runs a command and collects what it says. Files take it: no process that lives on keeps
// a pipe open.
func (w *watch) ask(args ...string) result {
	out, stdout, err := temporary()
	if err != nil {
		return result{status: -1, stderr: err.Error()}
	}
	defer stdout.Close()
	errOut, stderr, err := temporary()
	if err != nil {
		return result{status: -1, stderr: err.Error()}
	}
	defer stderr.Close()
	r := w.call(stdout, stderr, args...)
	w.said = out
	r.stdout, r.stderr = out(), errOut()
	return r
}

// temporary is a file for output, and a function that returns what it has.
func temporary() (func() string, *os.File, error) {
	f, err := os.CreateTemp(top, "output.")
	if err != nil {
		return nil, nil, err
	}
	return func() string {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			return err.Error()
		}
		return string(data)
	}, f, nil
}

// collected is a pipe for output, and a function that waits until nobody has it open any more
// and returns what came through.
func collected() (func() string, *os.File, error) {
	r, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return collect(r), writer, nil
}

func collect(r io.Reader) func() string {
	all := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(r)
		all <- string(data)
	}()
	return func() string { return <-all }
}

// config creates a container of the config, starts it, waits for its end and deletes it.
func (w *watch) config() error {
	printed, stdout, err := collected()
	if err != nil {
		return err
	}
	complaints, stderr, err := collected()
	if err != nil {
		return err
	}
	created := w.call(stdout, stderr, "create", "--bundle", bundleDir, "--pid-file", top+"/pid", w.ID)
	w.o["#create"] = created.word()
	if created.status == 0 {
		w.readPid()
		w.cgroups()
		started := w.ask("start", w.ID)
		w.o["#start"] = started.word()
		w.o["#start.stderr"] = started.stderr
		if started.status != 0 {
			w.ask("kill", w.ID, "KILL")
		}
		w.o["exit"] = w.wait()
		deleted := w.ask("delete", w.ID)
		w.o["delete"] = deleted.word()
	}
	stdout.Close()
	stderr.Close()
	if created.status != 0 {
		w.leftBehind()
		w.ask("delete", "--force", w.ID)
	}
	w.killAll()
	w.o["#stderr"] = complaints()
	w.read(printed())
	if hooks, err := os.ReadFile(top + "/hooks"); err == nil {
		w.hookLines(string(hooks))
	}
	w.outcome()
	return nil
}

// outcome says in one word what came of it, and at which stage something was refused.
func (w *watch) outcome() {
	switch {
	case w.o["#create"] != "0":
		w.o["outcome"], w.o["stage"] = "refused", "create"
	case w.o["#start"] != "0":
		w.o["outcome"], w.o["stage"] = "refused", "start"
	default:
		w.o["outcome"] = "ran"
	}
	for _, stage := range []string{"#create", "#start"} {
		if w.o[stage] == "hung" || w.o[stage] == "killed" {
			w.o["outcome"] = w.o[stage]
		}
	}
}

func (w *watch) readPid() {
	text, err := os.ReadFile(top + "/pid")
	if err != nil {
		w.o["pid-file"] = err.Error()
		return
	}
	w.pid, err = strconv.Atoi(string(text))
	if err != nil {
		w.o["pid-file"] = strconv.Quote(string(text))
	}
}

// wait waits for the end of the container's first process, whose parent this is now.
func (w *watch) wait() string {
	if w.pid <= 0 {
		return "unknown"
	}
	pid := w.pid // later it may be 0, which kill(2) takes for the whole group
	watchdog := time.AfterFunc(patience, func() { _ = unix.Kill(pid, unix.SIGKILL) })
	defer watchdog.Stop()
	var status unix.WaitStatus
	for {
		if w.initStatus != nil {
			status = *w.initStatus
			break
		}
		_, err := unix.Wait4(pid, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err.Error()
		}
		break
	}
	switch {
	case !watchdog.Stop():
		return "hung"
	case status.Signaled():
		return fmt.Sprintf("signal %d", status.Signal())
	}
	return strconv.Itoa(status.ExitStatus())
}

// killAll ends what is left of this pid namespace, so that nothing holds the pipes open.
func (w *watch) killAll() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// leftBehind looks at what a create that failed has left.
func (w *watch) leftBehind() {
	if entries, err := os.ReadDir(stateDir); err == nil {
		for _, e := range entries {
			// crun keeps something for all of them there.
			if e.Name() != ".empty-directory" && e.Name() != ".cache" {
				w.o["failed.state"] += e.Name() + " "
			}
		}
	}
	w.o["failed.cgroup"] = strings.Join(w.cgroupsLeft(), " ")
	if left := processes(); left > 0 {
		w.o["failed.processes"] = strconv.Itoa(left)
	}
}

// processes counts those of this pid namespace without the worker. Those that have ended
// are reaped first.
func processes() int {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid == 0 {
			break
		}
	}
	return others(0)
}

// others counts the processes of this pid namespace but the worker and one more.
func others(than int) int {
	n := 0
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && pid != than {
			n++
		}
	}
	return n
}

// left is what there is when all should be gone.
func (w *watch) left() {
	entries, _ := os.ReadDir(stateDir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	w.o["left.state"] = strings.Join(names, " ")
	w.o["left.cgroup"] = strings.Join(w.cgroupsLeft(), " ")
	for _, dir := range w.cgroupsLeft() {
		removeCgroup(dir)
	}
	_ = filepath.Walk(upperDir, func(path string, _ os.FileInfo, err error) error {
		if name := strings.TrimPrefix(path, upperDir); err == nil && name != "" {
			w.o["rootfs."+name] = describe(path)
		}
		return nil
	})
}
