// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookScript creates an executable that the host can run. The container can run it too if it is
// below the root file system.
func (c *container) hookScript(path, body string) string {
	c.t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// logHook returns a hook that appends a word to a file in the bundle.
func (c *container) logHook(word string) specs.Hook {
	c.t.Helper()
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "cat >/dev/null; echo " + word + " >>" + c.path("hooks.log")}}
}

func (c *container) hookLog() string {
	c.t.Helper()
	data, err := os.ReadFile(c.path("hooks.log"))
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	return squeeze(string(data))
}

// TestHookOrder checks when two hooks of each kind run.
func TestHookOrder(t *testing.T) {
	c := newContainer(t)
	// startContainer hooks see the container's file system only.
	if err := os.MkdirAll(c.rootfs(c.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	log := c.path("hooks.log")
	if err := os.WriteFile(log, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	c.mount(log, "bind", log, "bind")
	two := func(word string) []specs.Hook { return []specs.Hook{c.logHook(word + "1"), c.logHook(word + "2")} }
	c.spec.Hooks = &specs.Hooks{
		Prestart: two("prestart"), CreateRuntime: two("createRuntime"), CreateContainer: two("createContainer"),
		StartContainer: two("startContainer"), Poststart: two("poststart"), Poststop: two("poststop"),
	}
	waitUp := c.long()
	c.create()
	created := "prestart1 prestart2 createRuntime1 createRuntime2 createContainer1 createContainer2"
	want(t, "hooks after create", c.hookLog(), created)
	c.start()
	waitUp()
	started := created + " startContainer1 startContainer2 poststart1 poststart2"
	want(t, "hooks after start", c.hookLog(), started)
	c.command("kill", c.id, "KILL").must()
	c.wait()
	want(t, "hooks after the end", c.hookLog(), started)
	c.command("delete", c.id).must().silent()
	want(t, "hooks after delete", c.hookLog(), started+" poststop1 poststop2")
}

// TestHookState checks the state that each hook reads from stdin.
func TestHookState(t *testing.T) {
	c := newContainer(t)
	save := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat >" + c.path(name)}}}
	}
	if err := os.MkdirAll(c.rootfs(c.dir), 0o777); err != nil {
		t.Fatal(err)
	}
	c.spec.Annotations = map[string]string{"org.example.key": "value"}
	c.spec.Hooks = &specs.Hooks{
		CreateRuntime: save("createRuntime"), CreateContainer: save("createContainer"), StartContainer: save("startContainer"),
		Poststart: save("poststart"), Poststop: save("poststop"),
	}
	c.running()
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.command("delete", c.id).must()
	for name, status := range map[string][]specs.ContainerState{
		"createRuntime": {specs.StateCreating}, "createContainer": {specs.StateCreating}, "startContainer": {specs.StateCreated, "starting"},
		"poststart": {specs.StateRunning}, "poststop": {specs.StateStopped},
	} {
		path := c.path(name)
		if name == "startContainer" {
			path = c.rootfs(c.dir, name)
		}
		var s specs.State
		readJSON(t, path, &s)
		if s.ID != c.id || s.Bundle != c.dir || s.Version == "" || s.Annotations["org.example.key"] != "value" {
			t.Errorf("%s: state %+v", name, s)
		}
		if s.Status != status[0] && s.Status != status[len(status)-1] {
			t.Errorf("%s: status %q, want %q", name, s.Status, status)
		}
		if name != "poststop" && name != "startContainer" && s.Pid != c.pid {
			t.Errorf("%s: pid %d, want %d", name, s.Pid, c.pid)
		}
	}
}

// TestHookNamespaces: the mount namespace in which each kind of hook runs.
func TestHookNamespaces(t *testing.T) {
	c := newContainer(t)
	if err := os.MkdirAll(c.rootfs(c.dir), 0o777); err != nil {
		t.Fatal(err)
	}
	save := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "for n in mnt pid net uts; do readlink /proc/self/ns/$n; done >" + c.path(name)}}}
	}
	c.spec.Hooks = &specs.Hooks{
		CreateRuntime: save("createRuntime"), CreateContainer: save("createContainer"), StartContainer: save("startContainer"), Poststart: save("poststart"),
	}
	c.running()
	list := func(pid int) string {
		return nsOf(t, pid, "mnt") + " " + nsOf(t, pid, "pid") + " " + nsOf(t, pid, "net") + " " + nsOf(t, pid, "uts")
	}
	host, inside := list(os.Getpid()), list(c.pid)
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return squeeze(string(data))
	}
	want(t, "createRuntime's namespaces", read(c.path("createRuntime")), host)
	want(t, "poststart's namespaces", read(c.path("poststart")), host)
	want(t, "startContainer's namespaces", read(c.rootfs(c.dir, "startContainer")), inside)
	// createContainer hooks run in the container's mount namespace before pivot_root, so they see
	// the host's files.
	mnt, _, _ := strings.Cut(read(c.path("createContainer")), " ")
	insideMnt, _, _ := strings.Cut(inside, " ")
	want(t, "createContainer's mount namespace", mnt, insideMnt)
}

// TestHookContract checks what docs/hooks.md says about the environment of each kind of hook,
// whichever command runs it.
func TestHookContract(t *testing.T) {
	only(t, suite.users.name == "root", "the mode in which two user namespaces can be distinguished")
	onlyBerth(t)
	const script = `echo "$(for n in user mnt net uts; do readlink /proc/self/ns/$n; done)" "cwd $PWD env $(env | cut -d= -f1 | sort | grep -vE '^(_|PWD|SHLVL)$' | tr '\n' ,) fds $(ls /proc/self/fd | wc -l)" >`
	for _, userns := range []bool{false, true} {
		for _, way := range []string{"step by step", "run"} {
			t.Run(fmt.Sprintf("userns %v/%s", userns, way), func(t *testing.T) {
				c := newContainer(t)
				if userns {
					c.userns()
				}
				report := t.TempDir()
				hook := func(kind string) []specs.Hook {
					return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script + report + "/" + kind}, Env: []string{"A=b", "PATH=/usr/bin:/bin"}}}
				}
				c.spec.Hooks = &specs.Hooks{
					Prestart: hook("prestart"), CreateRuntime: hook("createRuntime"), CreateContainer: hook("createContainer"),
					StartContainer: hook("startContainer"), Poststart: hook("poststart"), Poststop: hook("poststop"),
				}
				makeWorldWritable(t, report)
				c.mount(report, "bind", report, "bind")
				inside := c.runThroughLife(way)
				host := nsOf(t, os.Getpid(), "user") + " " + nsOf(t, os.Getpid(), "mnt") + " " + nsOf(t, os.Getpid(), "net") + " " + nsOf(t, os.Getpid(), "uts")
				const rest = " env A,PATH, fds 4"
				for kind, w := range map[string]string{
					"prestart": host + " cwd " + c.dir + rest, "createRuntime": host + " cwd " + c.dir + rest,
					"createContainer": inside + " cwd " + c.dir + rest, "startContainer": inside + " cwd /" + rest,
					"poststart": host + " cwd " + c.dir + rest, "poststop": host + " cwd " + c.dir + rest,
				} {
					want(t, kind, squeeze(readFile(t, report+"/"+kind)), w)
				}
			})
		}
	}
}

// TestHookClosedBundle: other users need no access to the bundle.
func TestHookClosedBundle(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns().args("true")
	c.spec.Root.Path = c.rootfs()
	c.spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "test $PWD = /"}}}}
	c.write()
	closed := c.path("closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.path("config.json"), filepath.Join(closed, "config.json")); err != nil {
		t.Fatal(err)
	}
	c.command("run", "--bundle", closed, c.id).must()
}

// runThroughLife takes a container through its life, and returns its namespaces.
func (c *container) runThroughLife(way string) (namespaces string) {
	c.t.Helper()
	out, in := c.fifo("out"), c.fifo("in")
	c.sh("for n in user mnt net uts; do readlink /proc/self/ns/$n; done | tr '\n' ' ' >/out; echo >/out; read x </in")
	if way == "run" {
		c.write()
		r := c.launch(nil, "run", c.id)
		namespaces = out.line()
		in.send("end")
		c.mustFinish(r).must()
		return strings.TrimSpace(namespaces)
	}
	c.create().start()
	namespaces = out.line()
	in.send("end")
	c.wait()
	c.command("delete", c.id).must()
	return strings.TrimSpace(namespaces)
}

// makeWorldWritable makes a directory of the tests writable for everybody.
func makeWorldWritable(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHookSeesMounts: createContainer hooks run after the mounts are made.
func TestHookSeesMounts(t *testing.T) {
	c := newContainer(t)
	c.spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{
		"sh", "-c", "test -c " + c.rootfs("dev/null") + " && test -d " + c.rootfs("proc/1") + " && echo yes >" + c.path("seen"),
	}}}}
	c.create()
	data, err := os.ReadFile(c.path("seen"))
	if err != nil || string(data) != "yes\n" {
		t.Errorf("seen: %q, %v", data, err)
	}
	c.start().wait()
}

func TestHookFails(t *testing.T) {
	bad := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo the reason >&2; exit 3"}}}
	for name, hooks := range map[string]*specs.Hooks{
		"prestart":      {Prestart: bad},
		"createRuntime": {CreateRuntime: bad}, "createContainer": {CreateContainer: bad},
		"missing program": {CreateRuntime: []specs.Hook{{Path: "/no/such/hook"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			hooks.Poststop = nil
			c.spec.Hooks = hooks
			c.write()
			c.checkRefused("hook", "")
			if r := c.command("create", c.id); suite.name == "berth" && name != "missing program" && !strings.Contains(r.stderr, "the reason") {
				t.Errorf("stderr %q has not what the hook said", r.stderr)
			}
		})
	}
}

func TestStartContainerHookFails(t *testing.T) {
	c := newContainer(t)
	ran := c.fifo("ran")
	c.sh("echo ran >/ran")
	c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "exit 3"}}}}
	c.create()
	c.command("start", c.id).fails("hook", "")
	c.wait()
	c.status(specs.StateStopped)
	if ran.pending() != "" {
		t.Error("the process ran although the hook failed")
	}
}

// TestPoststopHookFails: the container is deleted and the next hook runs, although a hook fails.
func TestPoststopHookFails(t *testing.T) {
	c := newContainer(t)
	c.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/false"}, c.logHook("second")}}
	c.create().start().wait()
	c.command("delete", c.id).must()
	want(t, "hooks", c.hookLog(), "second")
}

func TestHookTimeout(t *testing.T) {
	c := newContainer(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: ptr(1)}}}
	c.write()
	c.command("create", c.id).fails("hook", "")
	c.checkNothingLeft()
}

// TestContainerHookTimeout: child processes of the hook are killed too, and its output is
// truncated.
func TestContainerHookTimeout(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).without(specs.PIDNamespace)
	started := c.fifo("started")
	script := "sh -c 'echo $$; exec sleep 1000' >" + c.rootfs("started") + " & yes"
	c.spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Timeout: ptr(1)}}}
	c.write()
	r := c.command("create", c.id).fails("hooks.createContainer[0]: error running createContainer hook #0: /bin/sh: hook ran past specified timeout of 1.0s", "")
	if len(r.stderr) > 1<<14 {
		t.Errorf("an error of %d bytes", len(r.stderr))
	}
	pid, err := strconv.Atoi(started.line())
	if err != nil {
		t.Fatal(err)
	}
	if !endsSoon(pid) {
		t.Error("a child process of the hook still runs")
	}
	c.checkNothingLeft()
}

// TestPoststartHookFails: the container is ended, as the runtime-spec requires since 1.3. With an
// older ociVersion there is a warning, and the container continues.
func TestPoststartHookFails(t *testing.T) {
	onlyBerth(t)
	for version, fatal := range map[string]bool{"1.2.1": false, "1.3.0": true} {
		t.Run(version, func(t *testing.T) {
			c := newContainer(t).args("/bin/sleep", "1000")
			c.spec.Version = version
			c.spec.Hooks = &specs.Hooks{Poststart: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo the reason; exit 3"}}}}
			c.create()
			r := c.command("start", c.id)
			if !strings.Contains(r.stderr, "hooks.poststart[0]") || !strings.Contains(r.stderr, "the reason") || (r.status == 0) == fatal {
				t.Errorf("start: status %d, %q", r.status, r.stderr)
			}
			if fatal {
				c.wait()
				c.status(specs.StateStopped)
			} else {
				c.status(specs.StateRunning)
			}
		})
	}
}

func TestHookEnvironment(t *testing.T) {
	c := newContainer(t)
	out := c.path("env")
	script := c.hookScript(c.path("hook"), "{ echo \"$0 $1 $2\"; env; } >"+out)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: script, Args: []string{"zero", "one", "two words"}, Env: []string{"A=1", "B=2"}}}}
	c.create()
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	// A script does not see args[0], because the kernel replaces it by the path.
	want(t, "arguments", lines[0], script+" one two words")
	for _, l := range lines[1:] {
		name, _, _ := strings.Cut(l, "=")
		if name != "" && name != "A" && name != "B" && name != "PWD" && name != "_" && name != "SHLVL" {
			t.Errorf("environment has %q", l)
		}
	}
	c.start().wait()
}

// TestHookIsNotInTheCgroup: the memory of a hook is not charged to the container.
func TestHookIsNotInTheCgroup(t *testing.T) {
	c := newContainer(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/cgroup >" + c.path("out")}}}}
	c.create()
	data, err := os.ReadFile(c.path("out"))
	if err != nil || strings.Contains(string(data), c.id) {
		t.Errorf("cgroup %q, %v", data, err)
	}
	c.start().wait()
}

// TestHookFindsNetwork: a createRuntime hook can configure the new network namespace, which it
// finds by the pid in the state.
func TestHookFindsNetwork(t *testing.T) {
	c := newContainer(t)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{
		"sh", "-c", `pid=$(tr ',' '\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'); readlink /proc/$pid/ns/net >` + c.path("out"),
	}}}}
	c.create()
	data, err := os.ReadFile(c.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "network namespace of pid "+strconv.Itoa(c.pid), strings.TrimSpace(string(data)), nsOf(t, c.pid, "net"))
	c.start().wait()
}

// TestHooksInherit: hooks inherit no open descriptors of the engine except for the standard
// streams, whichever command runs them.
func TestHooksInherit(t *testing.T) {
	c := newContainer(t)
	secret := c.path("secret")
	if err := os.WriteFile(secret, []byte("of the engine"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(secret, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.files = []*os.File{f, f}
	if err := os.WriteFile(c.path("hooks.log"), nil, 0o666); err != nil { // the hooks' users differ
		t.Fatal(err)
	}
	if err := os.Chmod(c.path("hooks.log"), 0o666); err != nil {
		t.Fatal(err)
	}
	// Shells open files themselves, so only the engine's are counted.
	look := func(kind string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{
			"sh", "-c",
			"cat >/dev/null; echo " + kind + " $(ls -l /proc/self/fd | grep -c secret) >>" + c.path("hooks.log"),
		}}}
	}
	c.spec.Hooks = &specs.Hooks{
		Prestart: look("prestart"), CreateRuntime: look("createRuntime"), CreateContainer: look("createContainer"),
		Poststart: look("poststart"), Poststop: look("poststop"),
	}
	c.args("/bin/true")
	c.create().start().wait()
	c.command("delete", c.id).must()
	want(t, "files of the engine", c.hookLog(), "prestart 0 createRuntime 0 createContainer 0 poststart 0 poststop 0")
}
