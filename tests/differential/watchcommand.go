// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fence is a signal that ends the container's program. Signals that were sent earlier arrive
// before it, since those with lower numbers come first.
const fence = unix.Signal(64)

// commandLine makes the setup, runs the command, and records the result.
func (w *watch) commandLine() error {
	reader, stdout, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := w.setUp(reader, stdout); err != nil {
		return err
	}
	first, printed := firstByte(reader)
	args := make([]string, len(w.Case.Command))
	replace := strings.NewReplacer("@id", w.ID, "@new", "new"+w.ID, "@source", sourceDir)
	for i, word := range w.Case.Command {
		args[i] = replace.Replace(word)
	}
	r := w.command(stdout, args)
	w.o["outcome"] = "exit " + r.word()
	w.o["#stderr"] = r.stderr
	if r.status == 0 && w.commands("start") && w.Case.Setup == "created" {
		select {
		case <-first:
		case <-time.After(patience):
			w.o["outcome"] += ", and its program does not begin"
		}
	}
	if w.commands("run", "exec") && w.Case.Setup != "paused" {
		w.settle()
		r.stdout = w.said()
	}
	// After other commands the process may be about to end.
	if w.pid > 0 && w.commands("update", "pause", "resume", "exec") {
		w.cgroups()
	}
	w.afterwards()
	stdout.Close()
	w.killAll()
	w.o["received"] = printed()
	if strings.Contains(w.o["received"], "Incorrect Usage") {
		w.o["received"] = ""
		w.o["stdout"] = "help"
	}
	w.printed(r.stdout)
	return nil
}

// firstByte returns a channel that is closed after the first byte, and a function that waits for
// the end of r and returns everything.
func firstByte(r io.Reader) (<-chan struct{}, func() string) {
	first, rest, writer := make(chan struct{}), make(chan string, 1), &strings.Builder{}
	go func() {
		var b [1]byte
		n, _ := io.ReadFull(r, b[:])
		writer.Write(b[:n])
		close(first)
		_, _ = io.Copy(writer, r)
		rest <- writer.String()
	}()
	return first, func() string { return <-rest }
}

// command runs a command line. Its own output and that of a container that it starts are one
// text, since some commands start a container and wait for it.
func (w *watch) command(init *os.File, args []string) result {
	if w.commands("create") {
		// The container of create has the standard streams for its whole life, and prints
		// nothing.
		errText, stderr, err := temporary()
		if err != nil {
			return result{status: -1, stderr: err.Error()}
		}
		defer stderr.Close()
		r := w.call(init, stderr, args...)
		r.stderr = errText()
		return r
	}
	return w.ask(args...)
}

// setUp creates the containers that exist before the command.
func (w *watch) setUp(r, stdout *os.File) error {
	switch w.Case.Setup {
	case "none":
		return nil
	case "two":
		config, err := os.ReadFile(bundleDir + "/config.json")
		if err != nil {
			return err
		}
		other := strings.Replace(string(config), w.Cgroup, w.Cgroup+"-other", 1)
		if err := os.WriteFile(bundleDir+"/config.json", []byte(other), 0o644); err != nil {
			return err
		}
		if err := w.makeContainer("other"+w.ID, "created", r, stdout); err != nil {
			return err
		}
		if err := os.WriteFile(bundleDir+"/config.json", config, 0o644); err != nil {
			return err
		}
		return w.makeContainer(w.ID, "running", r, stdout)
	}
	return w.makeContainer(w.ID, w.Case.Setup, r, stdout)
}

// makeContainer makes a container that is created, running, paused or stopped.
func (w *watch) makeContainer(id, status string, r, stdout *os.File) error {
	commands := [][]string{{"create", "--pid-file", top + "/pid", id}}
	switch status {
	case "running", "stopped":
		commands = append(commands, []string{"start", id})
	case "paused":
		commands = append(commands, []string{"start", id}, []string{"pause", id})
	}
	for _, args := range commands {
		errText, stderr, err := temporary()
		if err != nil {
			return err
		}
		done := w.call(stdout, stderr, args...)
		stderr.Close()
		if done.status != 0 {
			return fmt.Errorf("%q: exit %s: %s", args, done.word(), errText())
		}
		// Signals before the program is ready would be lost.
		if args[0] == "start" {
			if err := readWithin(patience, r, w.ready[:]); err != nil {
				return fmt.Errorf("%q: the container's program: %w", args, err)
			}
		}
	}
	w.readPid()
	if status == "stopped" {
		w.signal(fence)
		w.wait()
		w.pid = 0
	}
	return nil
}

// readWithin fills b from a pipe. It fails if that takes longer than limit: while this process
// has the other end open, there is no end of file if the writer has died.
func readWithin(limit time.Duration, r *os.File, b []byte) error {
	if err := r.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := io.ReadFull(r, b)
	return errors.Join(err, r.SetReadDeadline(time.Time{}))
}

// commands reports whether the command line begins with one of the names.
func (w *watch) commands(names ...string) bool {
	return len(w.Case.Command) > 0 && slices.Contains(names, w.Case.Command[0])
}

func (w *watch) signal(s unix.Signal) {
	if w.pid > 0 {
		_ = unix.Kill(w.pid, s)
	}
}

// afterwards records the state of the container after the command, and ends it.
func (w *watch) afterwards() {
	var kept []string
	entries, _ := os.ReadDir(stateDir)
	for _, e := range entries {
		// crun keeps this for all of its containers.
		if e.Name() != ".empty-directory" && e.Name() != ".cache" {
			kept = append(kept, e.Name())
		}
	}
	w.o["after.containers"] = strings.Join(kept, " ")
	if data, err := os.ReadFile(bundleDir + "/pid"); err == nil {
		w.o["after.pid-file"] = "a number"
		if _, err := strconv.Atoi(string(data)); err != nil {
			w.o["after.pid-file"] = strconv.Quote(string(data))
		}
	}
	// A signal may not have had its effect yet.
	if w.pid > 0 && !w.commands("kill") {
		w.o["after.status"] = w.status(w.ID)
	}
	if w.o["after.status"] == "paused" || w.Case.Setup == "paused" {
		w.ask("resume", w.ID)
	}
	if w.pid > 0 {
		if w.Case.Setup == "created" && w.o["after.status"] != "running" {
			w.ended()
		} else {
			w.signal(fence)
			w.o["after.init"] = w.wait()
		}
	}
	for _, id := range append(kept, "new"+w.ID) {
		if id != ".." && !strings.Contains(id, "/") {
			w.ask("delete", "--force", id)
		}
	}
}

// grace is how long the init of a created container may take to end by a signal. Some runtimes'
// init ignores signals, so there is no event to wait for.
const grace = 2 * time.Second

// ended records whether the init of a created container, which does not use fence, has ended by
// itself.
func (w *watch) ended() {
	if w.commands("kill") && w.o["outcome"] == "exit 0" {
		fd, err := unix.PidfdOpen(w.pid, 0)
		if err == nil {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(grace.Milliseconds()))
			unix.Close(fd)
		}
	}
	w.o["after.init"] = "is there"
	var status unix.WaitStatus
	if pid, err := unix.Wait4(w.pid, &status, unix.WNOHANG, nil); err != nil || pid == w.pid {
		w.o["after.init"] = "has ended"
	}
}

// settle waits for the end of all processes except init: those that a command has started without
// waiting for them are now children of this process.
func (w *watch) settle() {
	watchdog := time.AfterFunc(patience, func() { _ = unix.Kill(-1, unix.SIGKILL) })
	defer watchdog.Stop()
	for others(w.pid) > 0 {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if pid == w.pid {
			w.initStatus = &status
		}
	}
}

// status returns the status in the state.
func (w *watch) status(id string) string {
	r := w.ask("state", id)
	var state struct{ Status string }
	if r.status != 0 {
		return "none"
	}
	if err := json.Unmarshal([]byte(r.stdout), &state); err != nil {
		return err.Error()
	}
	return state.Status
}

var (
	integer  = regexp.MustCompile(`\b\d+\b`)
	timeText = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`)
	clock    = regexp.MustCompile(`\b\d\d:\d\d(:\d\d)?\b`)
	spaces   = regexp.MustCompile(`[ \t]+`)
)

// printed parses the output of the command: the probe's lines, JSON, or text.
func (w *watch) printed(text string) {
	if strings.Contains(text, "\nend=1\n") {
		w.read(text)
		return
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil && v != nil {
		if w.commands("events") {
			w.o["stdout"] = "JSON"
			return
		}
		w.flatten("json", v, 0)
		return
	}
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "usage:"):
		w.o["stdout"] = "help"
	case strings.Contains(lower, " version "):
		w.o["stdout"] = "version"
	default:
		text = timeText.ReplaceAllString(text, "TIME")
		text = clock.ReplaceAllString(text, "CLOCK")
		text = integer.ReplaceAllString(text, "N")
		text = strings.ReplaceAll(spaces.ReplaceAllString(text, " "), " \n", "\n")
		w.o["stdout"] = text
	}
}

// flatten makes a key for each part of a value.
func (w *watch) flatten(path string, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if depth > 2 {
			w.o[path] = "an object"
			return
		}
		for name, part := range v {
			w.flatten(path+"."+name, part, depth+1)
		}
	case []any:
		w.o[path] = fmt.Sprintf("a list of %d", len(v))
		for i, part := range v {
			w.flatten(fmt.Sprintf("%s.%d", path, i), part, depth+1)
		}
	case string:
		w.o[path] = timeText.ReplaceAllString(v, "TIME")
	case float64:
		w.o[path] = "a number"
		if v == 0 {
			w.o[path] = "0"
		}
	default:
		w.o[path] = fmt.Sprint(v)
	}
}

// processFiles writes the documents for exec and update.
func processFiles() error {
	for name, text := range map[string]string{
		"process.json":       `{"args": ["/probe", "by", "file"], "cwd": "/tmp", "env": ["PATH=/bin", "A=b"], "user": {"uid": 1000, "gid": 5}}`,
		"process-bad.json":   `{"args": ["/probe"], "cwd": "relative"}`,
		"process-type.json":  `{"args": "/probe", "cwd": "/"}`,
		"process-empty.json": `{}`,
		"resources.json":     `{"pids": {"limit": 77}, "cpu": {"shares": 300}}`,
		"resources-bad.json": `{"pids": {"limit": "x"}}`,
	} {
		if err := os.WriteFile(filepath.Join(sourceDir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
