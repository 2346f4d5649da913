// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// newCounter makes a container that counts, for tests that need criu. The count is only in its
// memory.
func newCounter(t *testing.T) *counter {
	t.Helper()
	c := newContainer(t)
	needCriu(t)
	return c.counter()
}

// needCriu requires criu 4, or criu 3.17 on a kernel older than Linux 6.16, whose vdso criu 3.17
// cannot parse, and a runtime that supports checkpoints.
func needCriu(t *testing.T) {
	t.Helper()
	only(t, exec.Command(suite.runtime, "checkpoint", "--help").Run() == nil, "a runtime with checkpoints")
	only(t, !suite.users.ordinary(), "root, because criu runs as root: see TestCheckpointRootless")
	version := criuVersion(t)
	old := version >= "3.17" && version < "4"
	require(t, version >= "4" || old && !kernelAtLeast(t, 6, 16), "criu 4")
}

// criuVersion returns "" if criu is not installed.
func criuVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("criu", "--version").Output()
	if err != nil {
		t.Logf("criu --version: %v", err)
		return ""
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(string(out), "Version: "), "\n")
	return version
}

// counter is a container that answers each line of /in with a line in /out: the number of lines
// so far.
type counter struct {
	*container
	in, out *fifo
	n       int
}

// counts is the program of a counter.
const counts = `n=0; while read x; do n=$((n+1)); echo $n >/out; done </in`

func (c *container) counter() *counter {
	c.t.Helper()
	k := &counter{container: c, in: c.fifo("in"), out: c.fifo("out")}
	// criu 3.17 does not save no_new_privs, and then restore refuses the config.
	c.spec.Process.NoNewPrivileges = criuVersion(c.t) >= "4"
	c.sh(counts)
	return k
}

// holding makes a counter of a program that holds a resource. Each answer says whether it still
// holds it (see holderHelper).
func (k *counter) holding(kind, argument string) *counter {
	k.t.Helper()
	k.helper(holderHelper)
	k.args("/helper", kind, argument)
	return k
}

// ask checks that the container continues to count.
func (k *counter) ask() {
	k.t.Helper()
	k.n++
	k.in.send("x")
	if got, want := k.out.line(), fmt.Sprint(k.n); got != want {
		k.t.Fatalf("the container counts %s, want %s", got, want)
	}
}

// detached runs a command of the runtime whose container has none of the test's streams. Its
// messages go to a log.
func (c *container) detached(args ...string) *result {
	c.t.Helper()
	c.write()
	file := c.path(fmt.Sprintf("log-%d", containerCount.Add(1)))
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		c.t.Fatal(err)
	}
	command := slices.Concat([]string{suite.runtime}, c.globals(), []string{"--log", file}, args)
	return c.shell(`exec "$@" </dev/null >/dev/null 2>&1`, command...).withStderr(file)
}

// withStderr sets the text of stderr to the content of a file.
func (r *result) withStderr(path string) *result {
	r.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.stderr = string(data)
	return r
}

// runAndCount runs the container and lets it count twice.
func (k *counter) runAndCount() *counter {
	k.t.Helper()
	k.detached("run", "--detach", "--pid-file", k.path("pid"), k.id).must()
	k.pid = k.readPID()
	k.ask()
	k.ask()
	return k
}

// images and logs are the directories of criu's files.
func (c *container) images() string { return c.path("images") }
func (c *container) logs() string   { return c.path("logs") }

// tryCheckpoint checkpoints the container, which may fail.
func (c *container) tryCheckpoint(options ...string) *result {
	c.t.Helper()
	args := append([]string{"checkpoint", "--image-path", c.images(), "--work-path", c.logs()}, options...)
	return c.command(append(args, c.id)...)
}

// checkpoint checkpoints the container, and checks that nothing of it is left.
func (c *container) checkpoint(options ...string) {
	c.t.Helper()
	c.tryCheckpoint(options...).must().silent()
	if !endsSoon(c.pid) {
		c.t.Errorf("process %d is left", c.pid)
	}
	c.command("state", c.id).fails("does not exist", "")
	if left := cgroupsOf(c.id); len(left) > 0 {
		c.t.Errorf("cgroups are left: %q", left)
	}
}

// tryRestore restores the container in the background, which may fail.
func (c *container) tryRestore(options ...string) *result {
	c.t.Helper()
	args := append([]string{"restore", "--detach", "--pid-file", c.path("pid"), "--image-path", c.images(), "--work-path", c.logs()}, options...)
	return c.detached(append(args, c.id)...)
}

// restore restores the container, and checks that it runs.
func (c *container) restore(options ...string) {
	c.t.Helper()
	if r := c.tryRestore(options...).must(); r.stderr != "" {
		c.t.Errorf("restore: stderr %q", r.stderr)
	}
	c.pid = c.readPID()
	if s := c.stateJSON(); s.Status != specs.StateRunning || s.Pid != c.pid {
		c.t.Errorf("after the restore: %+v, pid file %d", s, c.pid)
	}
}

// otherCounter returns another container with the root file system and the images of k.
func (k *counter) otherCounter() *counter {
	k.t.Helper()
	c := anotherContainer(k.t, k.container)
	c.spec.Process, c.spec.Mounts = k.spec.Process, k.spec.Mounts
	c.spec.Root = &specs.Root{Path: k.rootfs()}
	if err := os.Rename(k.images(), c.images()); err != nil {
		k.t.Fatal(err)
	}
	return &counter{container: c, in: k.in, out: k.out, n: k.n}
}

func TestCheckpointRestore(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
	// The restored container can be used like any other.
	want(t, "exec", k.execOut(k.id, "echo", "here"), "here")
	k.command("pause", k.id).must()
	k.status(paused)
	k.command("resume", k.id).must()
	k.ask()
	if got := k.cgroupFile("pids", "cgroup.procs"); !strings.Contains(got+"\n", fmt.Sprintf("%d\n", k.pid)) {
		t.Errorf("the cgroup has %q, want %d", got, k.pid)
	}
	k.command("kill", k.id, "KILL").must().silent()
	k.wait()
	k.status(specs.StateStopped)
	k.command("delete", k.id).must().silent()
	k.checkNothingLeft()
}

// TestCheckpointTwice checkpoints a restored container.
func TestCheckpointTwice(t *testing.T) {
	k := newCounter(t).runAndCount()
	for range 2 {
		k.checkpoint()
		k.restore()
		k.ask()
	}
}

func TestCheckpointLeaveRunning(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.tryCheckpoint("--leave-running").must().silent()
	k.status(specs.StateRunning)
	k.ask()
	k.command("delete", "--force", k.id).must()
	k.n-- // the line after the checkpoint
	k.restore()
	k.ask()
}

// TestRestoreElsewhere restores with another id, another cgroup and another bundle.
func TestRestoreElsewhere(t *testing.T) {
	for _, ns := range []bool{true, false} {
		t.Run(map[bool]string{true: "cgroup namespace", false: "host's cgroup namespace"}[ns], func(t *testing.T) {
			k := newCounter(t)
			k.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
			if !ns {
				k.without(specs.CgroupNamespace)
			}
			k.runAndCount()
			before := k.execOut(k.id, "cat", "/proc/self/mountinfo")
			k.checkpoint()
			again := k.otherCounter()
			if !ns {
				again.without(specs.CgroupNamespace)
			}
			again.restore()
			again.ask()
			after := again.execOut(again.id, "cat", "/proc/self/mountinfo")
			want(t, "mounts", mountList(after), strings.ReplaceAll(mountList(before), k.id, again.id))
			procs := again.cgroupFile("pids", "cgroup.procs")
			if !strings.Contains(procs+"\n", fmt.Sprintf("%d\n", again.pid)) {
				t.Errorf("the new cgroup has %q, want %d", procs, again.pid)
			}
			if left := cgroupsOf(k.id + "/"); len(left) > 0 {
				t.Errorf("the old cgroups are there: %q", left)
			}
			again.command("delete", "--force", again.id).must()
		})
	}
}

// mountList returns mountinfo without numbers and without the root, sorted by path.
func mountList(text string) string {
	var lines []string
	for _, m := range parseMountinfo(text) {
		if m.point != "/" {
			lines = append(lines, fmt.Sprintf("%s %s %s %s", m.point, m.root, m.fsType, strings.Join(m.options, ",")))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestCheckpointReadonlyPath: a read-only path below a bind mount is a mount of the host too,
// like the bind mount itself.
func TestCheckpointReadonlyPath(t *testing.T) {
	k := newCounter(t)
	dir := k.path("data")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	k.mount("/data", "bind", dir, "rbind")
	k.spec.Linux.ReadonlyPaths = append(k.spec.Linux.ReadonlyPaths, "/data/sub", "/data/none")
	k.runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
	mounts := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	for _, m := range parseMountinfo(mounts) {
		if m.point == "/data/sub" && slices.Contains(m.options, "ro") {
			return
		}
	}
	t.Errorf("/data/sub is not read-only:\n%s", mounts)
}

// TestCheckpointStates: only a running or paused container can be checkpointed.
func TestCheckpointStates(t *testing.T) {
	c := newContainer(t).create()
	needCriu(t)
	c.tryCheckpoint().fails("cannot be checkpointed in created state", "")
	c.status(specs.StateCreated)
	c.start().wait()
	c.tryCheckpoint().fails("", "")
	c.status(specs.StateStopped)
	if _, err := os.Stat(c.images()); err == nil {
		t.Error("there are images")
	}
	c.command("checkpoint", "--image-path", c.images(), "nobody").fails("container does not exist", "")
}

func TestCheckpointPaused(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.command("pause", k.id).must()
	k.tryCheckpoint("--leave-running").must().silent()
	k.status(paused)
	k.command("resume", k.id).must()
	k.ask()
	k.command("pause", k.id).must()
	k.checkpoint()
	k.restore()
	k.ask()
}

// TestCheckpointFails: criu does not save this container without an option.
func TestCheckpointFails(t *testing.T) {
	k := newCounter(t).holding("lock", "/lock").runAndCount()
	r := k.tryCheckpoint().fails("criu failed", "")
	if log := filepath.Join(k.logs(), "dump.log"); !strings.Contains(r.stderr, log) {
		t.Errorf("stderr %q does not name %s", r.stderr, log)
	} else if _, err := os.Stat(log); err != nil {
		t.Error(err)
	}
	if suite.name == "berth" && !strings.Contains(r.stderr, "file lock") {
		t.Errorf("stderr %q does not say why", r.stderr)
	}
	k.status(specs.StateRunning)
	k.ask()
	want(t, "exec", k.execOut(k.id, "echo", "here"), "here")
}

func TestNoCriu(t *testing.T) {
	c := newContainer(t).running()
	c.env = []string{"PATH=" + c.path("nowhere")}
	c.tryCheckpoint().fails("executable file not found", "")
	if _, err := os.Stat(c.images()); !os.IsNotExist(err) {
		t.Errorf("the directory of images is left: %v", err)
	}
	c.command("restore", "--image-path", c.images(), c.id+"-2").fails("", "")
	c.env = nil
	c.status(specs.StateRunning)
	c.command("state", c.id+"-2").fails("does not exist", "")
}

// TestRestoreFails restores from damaged images. Nothing may be left behind.
func TestRestoreFails(t *testing.T) {
	for _, file := range []string{"descriptors.json", "inventory.img", "core-1.img", "mm-1.img"} {
		t.Run(file, func(t *testing.T) {
			k := newCounter(t).runAndCount()
			k.checkpoint()
			if err := os.Remove(filepath.Join(k.images(), file)); err != nil {
				t.Fatal(err)
			}
			text := "criu failed"
			if file == "descriptors.json" {
				text = "no such file or directory"
			}
			k.tryRestore().fails(text, "")
			k.command("state", k.id).fails("does not exist", "")
			k.checkNothingLeft()
		})
	}
}

// TestCheckpointRootless: criu decides whether it can.
func TestCheckpointRootless(t *testing.T) {
	c := newContainer(t)
	only(t, suite.users.ordinary(), "callers other than the host's root")
	c.running()
	c.tryCheckpoint().fails("criu failed", "")
	if r := c.tryCheckpoint(); suite.users.rootless() && !strings.Contains(r.stderr, "CAP_CHECKPOINT_RESTORE") {
		t.Errorf("stderr %q does not say what is missing", r.stderr)
	}
	c.status(specs.StateRunning)
}

// TestRestoreExisting: a failed restore does not touch the container that already has the id.
func TestRestoreExisting(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.tryCheckpoint("--leave-running").must()
	k.tryRestore().fails("container with given ID already exists", "")
	k.status(specs.StateRunning)
	k.ask()
}
