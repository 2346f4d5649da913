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

// patience is how long a command may take before it counts as hung.
const patience = 20 * time.Second

// watch observes what a runtime does.
type watch struct {
	*job
	o outcome
	// pid is that of the container's first process, from the pid file.
	pid int
	// initStatus is the wait status of that process, if it was reaped while waiting for others.
	initStatus *unix.WaitStatus
	// ready is what the container's program prints when it handles signals.
	ready [1]byte
	// said returns what the last command has printed so far.
	said func() string
}

// result is the result of a command.
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

// call runs a command of the runtime and waits for it. The output of its container goes to the
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

// ask runs a command and returns its output. It uses files, so that no process that continues to
// run keeps a pipe open.
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

// temporary returns a file for output, and a function that returns its content.
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

// collected returns a pipe for output, and a function that waits until nobody has the pipe open,
// and returns what was written to it.
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

// config creates a container with the config, starts it, waits for its end and deletes it.
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

// outcome records the result in one word, and the stage at which the config was refused.
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

// wait waits for the end of the container's first process, which is now a child of this one.
func (w *watch) wait() string {
	if w.pid <= 0 {
		return "unknown"
	}
	pid := w.pid // w.pid may be 0 later, which means the process group to kill(2)
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

// killAll kills the other processes of this pid namespace, so that nothing keeps the pipes open.
func (w *watch) killAll() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// leftBehind records what a failed create has left.
func (w *watch) leftBehind() {
	if entries, err := os.ReadDir(stateDir); err == nil {
		for _, e := range entries {
			// crun keeps this for all of its containers.
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

// processes counts the processes of this pid namespace except the worker. It first reaps those
// that have ended.
func processes() int {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid == 0 {
			break
		}
	}
	return others(0)
}

// others counts the processes of this pid namespace except the worker and one more.
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

// left records what exists when everything should be gone.
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
