// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// setFrozen freezes or thaws the container's cgroup without the runtime, and waits for the effect.
func setFrozen(c *container, on bool) {
	c.t.Helper()
	file, value := "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[on]
	reached := value
	if suite.unified {
		file, value = "cgroup.freeze", map[bool]string{true: "1", false: "0"}[on]
		reached = value
	}
	if err := os.WriteFile(filepath.Join(c.cgroupDir("freezer"), file), []byte(value), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.awaitCgroup(file+" "+reached, func() bool { return c.cgroupFile("freezer", file) == reached })
}

// awaitCgroup polls for a change of which the kernel sends no event.
func (c *container) awaitCgroup(what string, is func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(suite.limit)
	for !is() {
		if time.Now().After(deadline) {
			c.t.Fatalf("not reached: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// subCgroup creates a cgroup below the container's in each hierarchy.
func subCgroup(c *container, name string) {
	c.t.Helper()
	dirs := []string{filepath.Join(c.cgroupDir(""), name)}
	if !suite.unified {
		var err error
		if dirs, err = filepath.Glob("/sys/fs/cgroup/*" + c.cgroup); err != nil {
			c.t.Fatal(err)
		}
		for i := range dirs {
			dirs[i] = filepath.Join(dirs[i], name)
		}
	}
	for _, dir := range dirs {
		suite.users.mkdirCgroup(c.t, dir)
		if !strings.Contains(dir, "/cpuset/") {
			continue
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			data := readFile(c.t, filepath.Join(filepath.Dir(dir), file))
			if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o644); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// execCgroup runs a process with options in the container. It returns the end of its cgroup path
// for the controller, from the container's cgroup on.
func (c *container) execCgroup(controller string, options ...string) string {
	c.t.Helper()
	pidFile := c.path("exec.pid")
	c.command(append(append([]string{"exec", "-d", "--pid-file", pidFile}, options...), c.id, "sleep", "1000")...).must().silent()
	pid, err := strconv.Atoi(readFile(c.t, pidFile))
	if err != nil {
		c.t.Fatal(err)
	}
	var found string
	for line := range strings.Lines(readFile(c.t, "/proc/"+strconv.Itoa(pid)+"/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if suite.unified && f[0] == "0" || !suite.unified && f[1] == controller {
			_, found, _ = strings.Cut(f[2], c.cgroup)
			found = "in" + found
		}
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
	reapExec(c)
	return found
}

// awaitFrozen waits until the frozen cgroup has n processes.
func (c *container) awaitFrozen(n int) {
	c.t.Helper()
	c.awaitCgroup(strconv.Itoa(n)+" processes", func() bool {
		return len(strings.Fields(c.cgroupFile("freezer", "cgroup.procs"))) >= n
	})
}

func TestExecPaused(t *testing.T) {
	c := newContainer(t).running()
	setFrozen(c, true)
	defer setFrozen(c, false)
	c.command("exec", c.id, "true").fails("cannot exec in a paused container (use --ignore-paused to override)", "")
}

// TestExecIgnorePaused: the process starts when the container is resumed.
func TestExecIgnorePaused(t *testing.T) {
	c := newContainer(t).running()
	setFrozen(c, true)
	r := c.launch(nil, "exec", "--ignore-paused", c.id, "echo", "resumed")
	c.awaitFrozen(2)
	setFrozen(c, false)
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "output", res.must().out, "resumed\n")
}

// TestExecIgnorePausedInterrupted: a signal ends an exec that waits for the container to be
// resumed.
func TestExecIgnorePausedInterrupted(t *testing.T) {
	c := newContainer(t).running()
	setFrozen(c, true)
	r := c.launch(nil, "exec", "--ignore-paused", c.id, "echo", "resumed")
	c.awaitFrozen(2)
	pids := strings.Fields(c.cgroupFile("freezer", "cgroup.procs"))
	if err := r.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(-int(unix.SIGTERM))
	want(t, "output", res.out, "")
	setFrozen(c, false)
	// The remaining processes end by themselves. An engine reaps them as its children.
	for _, p := range pids {
		if pid, err := strconv.Atoi(p); err == nil && pid != c.pid {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
				t.Errorf("wait for %d: %v", pid, err)
			}
		}
	}
}

func TestExecCgroup(t *testing.T) {
	c := newContainer(t).running()
	subCgroup(c, "sub")
	subCgroup(c, "sub/deeper")
	want(t, "cgroup", c.execCgroup("memory"), "in")
	want(t, "cgroup", c.execCgroup("memory", "--cgroup", "sub"), "in/sub")
	want(t, "cgroup", c.execCgroup("memory", "--cgroup", "/sub/deeper"), "in/sub/deeper")
	want(t, "cgroup", c.execCgroup("memory", "--cgroup", "/"), "in")
	for _, arg := range []string{"nope", "../x", "sub/../.."} {
		c.command("exec", "--cgroup", arg, c.id, "true").fails("", "")
	}
}

func TestExecLegacyCgroup(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	c.running()
	subCgroup(c, "sub")
	for _, tc := range []struct {
		options      []string
		memory, pids string
	}{
		{[]string{"--cgroup", "memory:sub"}, "in/sub", "in"},
		{[]string{"--cgroup", "memory:sub", "--cgroup", "pids:/sub"}, "in/sub", "in/sub"},
		{[]string{"--cgroup", "memory,pids:sub"}, "in/sub", "in/sub"},
	} {
		want(t, "memory cgroup", c.execCgroup("memory", tc.options...), tc.memory)
		want(t, "pids cgroup", c.execCgroup("pids", tc.options...), tc.pids)
	}
	c.command("exec", "--cgroup", "nope:sub", c.id, "true").fails("controller", "")
}

// TestExecInitMoved: the container's init has moved to a sub-cgroup, so that it can enable
// controllers for others beside it, as systemd does.
func TestExecInitMoved(t *testing.T) {
	c := newContainer(t)
	only(t, suite.unified, "cgroup v2")
	needController(t, "memory")
	c.running()
	dir := c.cgroupDir("")
	suite.users.mkdirCgroup(t, filepath.Join(dir, "init"))
	for _, w := range [][2]string{{"init/cgroup.procs", strconv.Itoa(c.pid)}, {"cgroup.subtree_control", "+memory"}} {
		if err := os.WriteFile(filepath.Join(dir, w[0]), []byte(w[1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "cgroup", c.execCgroup(""), "in/init")
	c.command("exec", "--cgroup", "/", c.id, "true").fails("device or resource busy", "")
}

// TestExecInitElsewhere: somebody has moved the container to another cgroup.
func TestExecInitElsewhere(t *testing.T) {
	c := newContainer(t)
	only(t, suite.unified, "cgroup v2")
	c.running()
	dir := c.cgroupDir("")
	moved := dir + "-moved"
	suite.users.mkdirCgroup(t, moved)
	if err := os.WriteFile(filepath.Join(moved, "cgroup.procs"), []byte(strconv.Itoa(c.pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	// systemd may already have removed the scope, as it has no processes.
	if err := os.Remove(dir); err != nil && (!suite.systemd || !errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	want(t, "cgroup", c.execCgroup(""), "in-moved")
	c.command("exec", "--cgroup", "/", c.id, "true").fails("no such file or directory", "")
	c.command("kill", c.id, "KILL").must()
	c.wait()
	if err := os.Remove(moved); err != nil {
		t.Fatal(err)
	}
}

// TestExecPidsLimit: cgroup v2 does not let a process in beyond the limit, and the error says so.
func TestExecPidsLimit(t *testing.T) {
	limit := int64(1)
	c := newContainer(t)
	needController(t, "pids")
	c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
	c.running()
	r := c.command("exec", c.id, "true")
	if !suite.unified {
		r.code(0) // v1 counts the process, but only refuses forks
		return
	}
	r.fails("as many processes as its pids limit allows: 1", "")
	c.status(specs.StateRunning)
}

// TestExecMemoryFull: if there is no memory for the process, exec reports that and leaves nothing
// behind.
func TestExecMemoryFull(t *testing.T) {
	limit := int64(4 << 20)
	c := newContainer(t)
	needController(t, "memory")
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
	c.mount("/fill", "tmpfs", "tmpfs")
	ready := c.fifo("ready")
	c.sh("echo up >/ready; exec sleep 10000")
	c.create().start()
	want(t, "output", ready.line(), "up")
	// Fill the tmpfs until the writer is killed.
	c.command("exec", c.id, "dd", "if=/dev/zero", "of=/fill/x", "bs=4096")
	r := c.command("exec", c.id, "true")
	if r.status == 0 || r.status == 128+9 {
		return // the end of the writer has left enough memory to start a program
	}
	// The kernel may also kill init, before the exec begins or while it does.
	for _, text := range []string{"OOM", "memory limit", "stopped container", "init process is gone"} {
		if strings.Contains(r.stderr, text) {
			return
		}
	}
	t.Errorf("status %d, stderr %q", r.status, r.stderr)
}
