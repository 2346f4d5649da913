// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// traceEvent is an event of a trace.
type traceEvent struct {
	Ph, Name string
	TS, Dur  float64
	PID, TID int
	Args     struct{ Name, Error string }
}

// begin and end are when the phase began and ended, in nanoseconds: the file has fractions of
// microseconds.
func (e *traceEvent) begin() int64 { return int64(e.TS*1000 + 0.5) }
func (e *traceEvent) end() int64   { return e.begin() + int64(e.Dur*1000+0.5) }

// traced is one command of a trace.
type traced struct {
	t    *testing.T
	name string // of the process
	// tracks has the phases of each track, in the order of the file.
	tracks map[string][]traceEvent
}

// readTrace reads the commands of a trace file, whose array is not closed.
func readTrace(t *testing.T, path string) (commands []*traced) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []traceEvent
	if err := json.Unmarshal(append(data, ']'), &events); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	processes, names := map[int]*traced{}, map[int]string{}
	for _, e := range events {
		switch {
		case e.Ph == "M" && e.Name == "process_name":
			processes[e.PID] = &traced{t, e.Args.Name, map[string][]traceEvent{}}
			commands = append(commands, processes[e.PID])
		case e.Ph == "M" && e.Name == "thread_name":
			names[e.TID] = e.Args.Name
		case e.Ph != "X" || e.TS <= 0 || e.Dur <= 0 || processes[e.PID] == nil || names[e.TID] == "":
			t.Errorf("event %+v", e)
		default:
			track := names[e.TID]
			processes[e.PID].tracks[track] = append(processes[e.PID].tracks[track], e)
		}
	}
	for _, command := range commands {
		command.checkNesting()
	}
	return commands
}

// checkNesting checks that phases of a track do not overlap unless one is a part of the other: a
// viewer could not show them.
func (c *traced) checkNesting() {
	c.t.Helper()
	for track, events := range c.tracks {
		var open []traceEvent
		for _, e := range events {
			for len(open) > 0 && open[len(open)-1].end() <= e.begin() {
				open = open[:len(open)-1]
			}
			if len(open) > 0 && open[len(open)-1].end() < e.end() {
				c.t.Errorf("%s, %s: %+v ends after %+v", c.name, track, e, open[len(open)-1])
			}
			open = append(open, e)
		}
	}
}

// has checks that the track has phases with these names in this order, and perhaps others.
func (c *traced) has(track string, phases ...string) {
	c.t.Helper()
	var names []string
	for _, e := range c.tracks[track] {
		names = append(names, e.Name)
	}
	rest := names
	for _, phase := range phases {
		i := slices.Index(rest, phase)
		if i < 0 {
			c.t.Errorf("%s, %s: there is no %q here in %q", c.name, track, phase, names)
			return
		}
		rest = rest[i+1:]
	}
}

// traceFile returns an empty file for traces that every caller may write.
func (c *container) traceFile() string {
	c.t.Helper()
	path := c.path("trace.json")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		c.t.Fatal(err)
	}
	suite.users.chownToCaller(c.t, path)
	return path
}

// TestTraceFile: several commands write to one file, each with its tracks and steps.
func TestTraceFile(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.Env = append(c.spec.Process.Env, "TOKEN=do-not-write-this")
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}, Poststop: []specs.Hook{{Path: "/bin/true"}}}
	file := c.traceFile()
	c.global = []string{"--trace", file}
	c.running()
	c.command("exec", c.id, "echo", "do-not-write-this").must()
	c.command("delete", "--force", c.id).must()

	if data, err := os.ReadFile(file); err != nil || bytes.Contains(data, []byte("do-not-write-this")) {
		t.Errorf("a secret is in the trace, or %v", err)
	}
	commands := readTrace(t, file)
	var names []string
	for _, command := range commands {
		names = append(names, strings.TrimPrefix(command.name, suite.name+" "))
		command.has("runtime", "exec and start of Go", "parse the command line")
	}
	if !slices.Equal(names, []string{"create " + c.id, "start " + c.id, "exec " + c.id, "delete " + c.id}) {
		t.Fatalf("commands %q", names)
	}
	create, start, exec, remove := commands[0], commands[1], commands[2], commands[3]
	create.has("runtime", "create", "read config.json", "convert config.json", "make the state directory",
		"plan the cgroup", "make the cgroup and start init", "build the root file system and prepare the host",
		"set the limits of the cgroup", "compile the seccomp profile", "let the builder mount",
		"hooks.createRuntime[0] /bin/true", "let the builder finish", "give init its plan", "hand over the console, the pidfd and the pid file")
	create.has("builder", "open the root file system", "bind the root file system", "mount mounts[0] /proc",
		"mount mounts[1] /dev", "make devices", "pivot_root", "set sysctls", "make paths read-only", "mask paths")
	create.has("init", "clone and exec of init", "enter the cgroups and namespaces", "carry out the plan")
	if !suite.unified {
		create.has("cgroup", "make the cgroups")
	}
	start.has("runtime", "start", "read the state", "let init go on")
	start.has("init", "startContainer hooks, exec of the program")
	exec.has("runtime", "exec", "convert the process", "find the container and its init", "give init its plan", "wait for the program")
	exec.has("init", "clone and exec of init", "enter the cgroups and namespaces", "carry out the plan", "exec of the program")
	remove.has("runtime", "delete", "make sure that init has ended", "remove the cgroups", "hooks.poststop[0] /bin/true", "remove the state directory")
	for n := range commands[1:] {
		if a, b := last(commands[n].tracks["runtime"]), commands[n+1].tracks["runtime"][0]; a.end() > b.begin() {
			t.Errorf("%s ends at %d, after the beginning of %s at %d", names[n], a.end(), names[n+1], b.begin())
		}
	}
}

func last(events []traceEvent) traceEvent { return events[len(events)-1] }

// TestTraceOfChanges: the commands that change a running container record their steps.
func TestTraceOfChanges(t *testing.T) {
	c := newContainer(t).args("tail", "-f", "/dev/null")
	c.create().start()
	c.content(c.path("mounts.json"), `[{"destination":"/added","type":"tmpfs","source":"tmpfs"}]`)
	c.content(c.path("limits.json"), "{}")
	file := c.traceFile()
	c.global = []string{"--trace", file}
	c.command("mounts", "add", c.id, c.path("mounts.json")).must()
	c.command("mounts", "remove", c.id, c.path("mounts.json")).must()
	c.command("update", "--resources", c.path("limits.json"), c.id).must()
	n := 3
	if suite.users.haveCgroups() {
		n = 5
		c.command("pause", c.id).must()
		c.command("resume", c.id).must()
	}
	commands := readTrace(t, file)
	if len(commands) != n {
		t.Fatalf("%d commands, want %d", len(commands), n)
	}
	for i, command := range commands {
		command.has("runtime", "read the state", "take the lock", "find out how init is", [...]string{
			"change the mounts", "change the mounts", "change the limits of the cgroups", "freeze the cgroups", "thaw the cgroups",
		}[i])
	}
	commands[0].has("builder", "enter the container", "mount mounts[0] /added")
	commands[1].has("builder", "enter the container", "unmount mounts[0] /added")
}

// TestTraceOfCriu: checkpoint and restore record theirs.
func TestTraceOfCriu(t *testing.T) {
	c := newDebugged(t)
	needCriu(t)
	c.spec.Process.NoNewPrivileges = criuVersion(t) >= "4"
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}}
	file := c.traceFile()
	c.global = []string{"--trace", file}
	c.detached("run", "--detach", "--pid-file", c.path("pid"), c.id).must()
	c.pid = c.readPID()
	c.detached("checkpoint", "--image-path", c.path("image"), c.id).must()
	c.detached("restore", "--detach", "--pid-file", c.path("pid"), "--image-path", c.path("image"), c.id).must()
	c.pid = c.readPID()
	commands := readTrace(t, file)
	if len(commands) != 3 {
		t.Fatalf("%d commands", len(commands))
	}
	commands[1].has("runtime", "checkpoint", "let criu save it while it is frozen", "remove the state directory")
	commands[2].has("runtime", "restore", "prepare criu", "make the cgroups", "let criu restore the processes",
		"hooks.createRuntime[0] /bin/true", "hand over the console, the pidfd and the pid file")
}

// TestTraceDirectory: with a directory, each command writes a file of its own there. The option is
// stronger than the variable.
func TestTraceDirectory(t *testing.T) {
	c := newContainer(t).args("true")
	dir, other := c.path("traces"), c.path("other")
	for _, d := range []string{dir, other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		suite.users.chownToCaller(t, d)
	}
	c.env = append(os.Environ(), "BERTH_TRACE="+dir)
	c.run().must().silent()
	c.command("state", c.id).fails("does not exist", "does not exist")
	c.global = []string{"--trace", other}
	c.command("list").must()
	var names []string
	for _, d := range []string{dir, other} {
		files, err := filepath.Glob(d + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			commands := readTrace(t, f)
			if len(commands) != 1 {
				t.Fatalf("%s: %d commands", f, len(commands))
			}
			if strings.HasPrefix(filepath.Base(f), "run-") {
				commands[0].has("runtime", "run", "make the cgroup and start init", "let init go on", "wait for the program", "remove the cgroups")
			}
			names = append(names, regexp.MustCompile(`-\d+\.json$`).ReplaceAllString(strings.TrimPrefix(f, c.dir), "-PID.json"))
		}
	}
	if want := []string{"/traces/run-" + c.id + "-PID.json", "/traces/state-" + c.id + "-PID.json", "/other/list-PID.json"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

// TestTraceOfFailure: a command that fails writes its trace, too, with the error in the step that
// failed.
func TestTraceOfFailure(t *testing.T) {
	for _, tc := range []struct {
		name, track, phase, text string
		spoil                    func(c *container)
	}{
		{"program", "runtime", "give init its plan", "no such file", func(c *container) { c.args("/missing") }},
		{"mount", "builder", "mount mounts[N] /data", "no such device", func(c *container) { c.mount("/data", "missingfs", "none") }},
		{"hook", "runtime", "hooks.createRuntime[0] /bin/false", "exit status 1", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
		}},
		{"config", "runtime", "convert config.json", "rlimits", func(c *container) {
			c.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "no"}}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			tc.spoil(c)
			file := c.traceFile()
			c.global = []string{"--trace", file}
			c.tryCreate().fails("", "")
			c.checkNothingLeft()
			commands := readTrace(t, file)
			if len(commands) != 1 {
				t.Fatalf("%d commands", len(commands))
			}
			failed := map[string]string{}
			for track, events := range commands[0].tracks {
				for _, e := range events {
					if e.Args.Error != "" {
						failed[track+" "+regexp.MustCompile(`mounts\[\d+\]`).ReplaceAllString(e.Name, "mounts[N]")] = e.Args.Error
					}
				}
			}
			for _, phase := range []string{tc.track + " " + tc.phase, "runtime create"} {
				if !strings.Contains(failed[phase], tc.text) {
					t.Errorf("%s has no error %q: %q", phase, tc.text, failed)
				}
			}
		})
	}
}

// TestTraceCannotBeWritten: that is an error before anything is created.
func TestTraceCannotBeWritten(t *testing.T) {
	c := newContainer(t)
	c.global = []string{"--trace", c.path("missing/trace.json")}
	c.tryCreate().fails("--trace: open "+c.path("missing/trace.json")+": no such file or directory", "")
	c.checkNothingLeft()
	c.global, c.env = nil, append(os.Environ(), "BERTH_TRACE=/dev/null")
	c.tryCreate().fails("BERTH_TRACE: /dev/null: neither a regular file nor a directory", "")
	c.checkNothingLeft()
}

// TestTraceIsNotInherited: neither the container nor hooks have the file, and the container does not
// have the variable.
func TestTraceIsNotInherited(t *testing.T) {
	c := newContainer(t).sh("ls -l /proc/self/fd; env")
	list := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "ls -l /proc/self/fd >>" + c.path("hook.log")}}}
	if err := os.WriteFile(c.path("hook.log"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.path("hook.log"), 0o666); err != nil {
		t.Fatal(err)
	}
	c.spec.Hooks = &specs.Hooks{CreateRuntime: list, CreateContainer: list, Poststop: list}
	c.env = append(os.Environ(), "BERTH_TRACE="+c.traceFile())
	r := c.run().must()
	said, err := os.ReadFile(c.path("hook.log"))
	if err != nil || bytes.Count(said, []byte(" 0 -> ")) != 3 {
		t.Fatalf("the hooks say %q, %v", said, err)
	}
	for who, said := range map[string]string{"the hooks": string(said), "the container": r.out} {
		if strings.Contains(said, "trace") || strings.Contains(said, "TRACE") {
			t.Errorf("%s: %s", who, said)
		}
	}
}

// TestTraceShown: `trace` shows what --trace has written, and where a command failed.
func TestTraceShown(t *testing.T) {
	c := newContainer(t).mount("/data", "missingfs", "none")
	file := c.traceFile()
	c.global = []string{"--trace", file}
	c.tryCreate().fails("no such device", "")
	c.command("list").must()
	c.global = nil
	c.env = append(os.Environ(), "BERTH_TRACE="+file) // is not for trace itself
	r := c.command("trace", file).must()
	for _, pattern := range []string{
		`create ` + c.id + `: \d+\.\d{3} ms, failed in "mount mounts\[\d+\] /data"\n`,
		`\n {31}runtime\n +0\.000 +\d+\.\d{3} +\d+\.\d%    exec and start of Go`,
		`\n {31}builder\n`,
		`%    mount mounts\[\d+\] /data  <- failed here\n`,
		`\nfailed: .*no such device\n\n`,
		` list: \d+\.\d{3} ms, \d+\.\d{3} ms after the first\n`,
	} {
		if !regexp.MustCompile(pattern).MatchString(r.out) {
			t.Errorf("no %s in\n%s", pattern, r.out)
		}
	}
	var commands []struct {
		Command string
		Failed  *struct{ Phase, Error string }
	}
	decode(t, c.command("trace", "--format", "json", file).must().out, &commands)
	if len(commands) != 2 || commands[0].Failed == nil || !strings.HasSuffix(commands[0].Failed.Phase, " /data") || commands[1].Failed != nil {
		t.Errorf("%+v", commands)
	}
	if out := c.command("trace", "--threshold", "1h", file).must().out; !strings.Contains(out, "<- failed here") || strings.Contains(out, "exec and start") {
		t.Errorf("with a threshold:\n%s", out)
	}
	if err := os.WriteFile(c.path("cut.json"), []byte(`[{"ph":"M","na`), 0o644); err != nil {
		t.Fatal(err)
	}
	c.command("trace", c.path("cut.json")).fails("cut.json: line 1: the trace is cut off here", "")
	c.command("trace", "/dev/null").fails("/dev/null: neither a regular file nor a directory", "")
	c.command("trace", c.path("missing")).fails("missing: no such file or directory", "")
	c.command("trace", "--format", "xml", file).fails("invalid format option", "")
	c.command("trace", "--threshold", "-1s", file).fails("--threshold: must not be negative", "")
	c.command("trace").fails("requires a minimum of 1 argument(s)", "")
}
