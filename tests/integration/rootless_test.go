// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// userID is the id of an ordinary user that no machine assigns.
const userID = 54321

// rootless makes the container one of an ordinary user, who owns the bundle and the root
// directory. It has a user namespace with the given maps, or only with the user as root.
func (c *container) rootless(rows ...specs.LinuxIDMapping) *container {
	c.t.Helper()
	if len(rows) == 0 {
		rows = []specs.LinuxIDMapping{mapRow(0, userID, 1)}
	}
	c.userns(rows...)
	c.spec.Linux.CgroupsPath = ""
	c.ordinary()
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "gid=5" })
	}
	for _, dir := range []string{c.dir, c.rootfs()} {
		if err := os.Chown(dir, userID, userID); err != nil {
			c.t.Fatal(err)
		}
	}
	return c
}

// ordinary makes an ordinary user call the runtime.
func (c *container) ordinary() *container {
	c.credential = &syscall.Credential{Uid: userID, Gid: userID}
	c.env = []string{"PATH=" + os.Getenv("PATH"), "USER=somebody"}
	return c
}

// subordinate gives the user a name and subordinate ids, and returns a map of all ids.
func subordinate(t *testing.T) []specs.LinuxIDMapping {
	t.Helper()
	_, err := exec.LookPath("newuidmap")
	require(t, err == nil, "newuidmap (package uidmap)")
	undo, err := nameUser(t.TempDir())
	t.Cleanup(func() {
		if err := undo(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return []specs.LinuxIDMapping{mapRow(0, userID, 1), mapRow(1, firstID, idCount)}
}

// onlyBerth skips a test for other runtimes, which in Debian 12 do not support this or do it
// wrong.
func onlyBerth(t *testing.T) {
	t.Helper()
	only(t, suite.name == "berth", "berth")
}

func TestRootless(t *testing.T) {
	c := newContainer(t).rootless().sh("id -u; cat /proc/self/uid_map /proc/self/setgroups; stat -c %u:%g /dev /dev/shm; cat /sys/class/net/lo/flags")
	want(t, "printed", squeeze(c.output()), "0 0 54321 1 deny 0:0 0:0 0x9")
}

func TestRootlessSubordinate(t *testing.T) {
	c := newContainer(t)
	c.rootless(subordinate(t)...).sh("id -u; cat /proc/self/uid_map /proc/self/setgroups; grep Groups /proc/self/status; stat -c %u:%g /dev")
	c.spec.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7, 8}}
	want(t, "printed", squeeze(c.output()), "5 0 54321 1 1 100000 65536 allow Groups: 7 8 0:0")
}

// TestRootlessWithoutRoot maps the user to an id other than root.
func TestRootlessWithoutRoot(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless(mapRow(7, userID, 1)).sh("id -u; stat -c %u:%g /dev /dev/mqueue")
	c.spec.Process.User = specs.User{UID: 7, GID: 7}
	want(t, "printed", squeeze(c.output()), "7 7:7 7:7")
}

// TestRootlessLife goes through the life of a container.
func TestRootlessLife(t *testing.T) {
	for _, ids := range []string{"one id", "subordinate ids"} {
		t.Run(ids, func(t *testing.T) {
			c := newContainer(t)
			if ids == "one id" {
				c.rootless()
			} else {
				c.rootless(subordinate(t)...)
			}
			c.args("/bin/sleep", "1000").create()
			c.status(specs.StateCreated)
			c.start().status(specs.StateRunning)
			c.command("delete", c.id).fails("that is not stopped", "is not in")
			c.command("kill", c.id, "KILL").must()
			c.wait()
			c.status(specs.StateStopped)
			c.command("delete", c.id).must()
			c.checkNothingLeft()
		})
	}
}

// TestRootlessKillAll: without a cgroup, the processes of a container are those of its pid
// namespace.
func TestRootlessKillAll(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().sh("trap : USR1; sh -c 'trap \"echo child\" USR1; echo up; sleep 1000 & wait; wait' & wait; wait")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// The container inherits the runtime's fd 3.
	c.files = []*os.File{w}
	c.spec.Process.Args[2] = "exec >&3; " + c.spec.Process.Args[2]
	c.create("--preserve-fds", "1").start()
	c.files = nil
	w.Close()
	lines := bufio.NewScanner(r)
	for _, line := range []string{"up", "child"} {
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("%q, want %q", lines.Text(), line)
		}
		if line == "up" {
			c.command("kill", "--all", c.id, "USR1").must()
		}
	}
	c.command("kill", "--all", c.id, "KILL").must()
	c.wait()
	c.command("kill", "--all", c.id, "KILL").must()
	c.command("delete", c.id).must()
	c.checkNothingLeft()
}

// TestRootlessSharedPID: without a pid namespace and a cgroup, only init can be found.
func TestRootlessSharedPID(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().without(specs.PIDNamespace)
	c.spec.Mounts, c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = c.spec.Mounts[1:], nil, nil
	c.args("/bin/sleep", "1000").create().start()
	c.command("delete", "--force", c.id).must()
	c.checkNothingLeft()
}

// TestRootlessRoot: the containers of an ordinary user are kept in $XDG_RUNTIME_DIR.
func TestRootlessRoot(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().args("/bin/sleep", "1000")
	c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir)
	c.write()
	c.state = "" // no --root
	c.command("create", c.id).must()
	info, err := os.Stat(c.path("berth"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeDir|fs.ModeSticky|0o700 {
		t.Errorf("mode %v", info.Mode())
	}
	if out := c.command("list", "-q").must().out; out != c.id+"\n" {
		t.Errorf("list: %q", out)
	}
	c.command("delete", "--force", c.id).must()
	c.state = c.path("berth")
}

// TestRootlessTemplate runs the output of `spec --rootless` unchanged.
func TestRootlessTemplate(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless()
	c.command("spec", "--rootless", "--no-tty").must().silent()
	in, err := os.Create(c.path("input"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	const script = "d=$(find /sys/fs/cgroup -name %s); echo $d; mkdir $d/new 2>/dev/null && echo mine; echo $((6*7)) $(id -u); exit 9\n"
	if _, err := fmt.Fprintf(in, script, filepath.Base(c.delegated())); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	r := c.commandWithStdin(in, "run", c.id).code(9)
	if !strings.Contains(r.out, "42 0\n") || strings.Contains(r.out, "\nmine") {
		t.Errorf("printed %q, %q", r.out, r.stderr)
	}
}

// delegated creates a cgroup that belongs to the ordinary user, as a login session has one.
func (c *container) delegated() string {
	c.t.Helper()
	dir := filepath.Join("/sys/fs/cgroup", suite.token, c.id+"-user")
	if !suite.unified {
		dir = filepath.Join("/sys/fs/cgroup/memory", suite.token, c.id+"-user")
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chown(dir, userID, userID)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			c.t.Error(err)
		}
	})
	return dir
}

// TestRootlessHooks: createContainer hooks run in the container's namespaces, and others in the
// user's.
func TestRootlessHooks(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().sh("for n in user mnt net pid; do readlink /proc/self/ns/$n; done")
	hook := func(file string) []specs.Hook {
		return []specs.Hook{{
			Path: "/bin/sh",
			Args: []string{"sh", "-c", "for n in user mnt net pid; do readlink /proc/self/ns/$n; done >" + c.path(file)},
		}}
	}
	c.spec.Hooks = &specs.Hooks{CreateRuntime: hook("runtime"), CreateContainer: hook("container")}
	inside := strings.Split(c.output(), "\n")
	for file, same := range map[string]bool{"runtime": false, "container": true} {
		data, err := os.ReadFile(c.path(file))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
			if (line == inside[i]) != same {
				t.Errorf("%s hook: %s, in the container %s", file, line, inside[i])
			}
		}
	}
}

// TestRootlessJoined: a second container joins the namespaces of the first.
func TestRootlessJoined(t *testing.T) {
	onlyBerth(t)
	first := newContainer(t).rootless().args("/bin/sleep", "1000").create().start()
	c := anotherContainer(t, first).rootless()
	kinds := map[specs.LinuxNamespaceType]string{
		specs.UserNamespace: "user", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc",
		specs.UTSNamespace: "uts", specs.PIDNamespace: "pid",
	}
	for typ, file := range kinds {
		c.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", first.pid, file))
	}
	c.args("/bin/sleep", "1000").create().start()
	for _, file := range kinds {
		if nsOf(t, c.pid, file) != nsOf(t, first.pid, file) {
			t.Errorf("%s is not the namespace to be joined", file)
		}
	}
	if ids := nsPIDs(t, c.pid); len(ids) != 2 || ids[1] == 1 {
		t.Errorf("pids %v", ids)
	}
	c.command("kill", c.id, "KILL").must()
	c.wait()
}

// TestRootlessCgroupMount: the container sees the host's cgroups, because it has no cgroup.
func TestRootlessCgroupMount(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().without(specs.CgroupNamespace)
	c.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid")
	c.sh("awk '$5 ~ /^.sys.fs.cgroup/ {print $6}' /proc/self/mountinfo | cut -d, -f1 | sort | uniq -c | wc -l; find /sys/fs/cgroup | head -n 20 | wc -l")
	want(t, "kinds of mounts, files", squeeze(c.output()), "1 20")
}

func TestBadRootless(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *container)
		err    string
	}{
		{"limit", func(c *container) {
			limit := int64(1 << 24)
			c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
		}, "linux.resources.memory.limit: "},
		{"cgroup", func(c *container) { c.spec.Linux.CgroupsPath = c.cgroup }, "linux.cgroupsPath"},
		{
			"groups", func(c *container) { c.spec.Process.User.AdditionalGids = []uint32{0} },
			"process.user.additionalGids: cannot set any additional groups in a rootless container",
		},
		{"no user namespace", func(c *container) {
			c.without(specs.UserNamespace)
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
		}, "linux.namespaces: rootless container requires user namespaces"},
		{"somebody else's id", func(c *container) {
			subordinate(c.t)
			c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{mapRow(0, 0, 1)}
		}, "linux.uidMappings: newuidmap"},
		{"more than the range", func(c *container) {
			subordinate(c.t)
			c.spec.Linux.GIDMappings = []specs.LinuxIDMapping{mapRow(0, firstID, idCount+1)}
		}, "linux.gidMappings: newgidmap"},
		{"no newuidmap", func(c *container) {
			c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{mapRow(0, firstID, 5)}
			c.env = []string{"PATH=/nonexistent"}
		}, "linux.uidMappings: mapping more than one's own id needs newuidmap"},
		{"newuidmap without rights", func(c *container) {
			c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{mapRow(0, firstID, 5)}
			path, err := exec.LookPath("newuidmap")
			require(c.t, err == nil, "newuidmap (package uidmap)")
			data, err := os.ReadFile(path)
			if err := errors.Join(err, os.WriteFile(c.path("newuidmap"), data, 0o755)); err != nil {
				c.t.Fatal(err)
			}
			c.env = []string{"PATH=" + c.dir}
		}, "linux.uidMappings: newuidmap: exit status 1: newuidmap: "},
		{"no maps", func(c *container) { c.spec.Linux.UIDMappings = nil }, "linux.uidMappings: user namespaces enabled, but no uid mappings found"},
		{"size 0", func(c *container) { c.spec.Linux.GIDMappings = []specs.LinuxIDMapping{mapRow(0, userID, 0)} }, "linux.gidMappings[0].size"},
		{"overlap", func(c *container) {
			c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{mapRow(0, userID, 1), mapRow(0, firstID, 5)}
		}, "linux.uidMappings[1]: overlaps"},
		{"uid", func(c *container) { c.spec.Process.User.UID = 5 }, "process.user.uid: "},
		{"gid", func(c *container) { c.spec.Process.User.GID = 5 }, "process.user.gid: "},
		{"group", func(c *container) { c.spec.Process.User.AdditionalGids = []uint32{5} }, "process.user.additionalGids"},
		{"unmapped owner of a file system", func(c *container) {
			c.mount("/t", "tmpfs", "tmpfs", "uid=5")
		}, "mounts[6].options"},
		{"id-mapped mount", func(c *container) { c.mount("/t", "bind", "/tmp", "rbind", "idmap") }, "mounts[6].uidMappings"},
		{"namespace of root", func(c *container) { c.namespace(specs.NetworkNamespace, "/proc/self/ns/net") }, "linux.namespaces[6].path: setns /proc/self/ns/net: operation not permitted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onlyBerth(t)
			c := newContainer(t).rootless()
			test.change(c)
			c.write()
			c.checkRefused(test.err, "")
		})
	}
}

// TestRootInUserNamespace: rootless Podman runs the runtime as the root of a user namespace that
// it has created.
func TestRootInUserNamespace(t *testing.T) {
	onlyBerth(t)
	for _, test := range []struct {
		name   string
		change func(c *container)
		want   string
	}{
		{"in the same", func(c *container) {
			c.without(specs.UserNamespace)
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
		}, "0 0 54321 1 0:0"},
		{"in one below", func(c *container) {
			rows := []specs.LinuxIDMapping{mapRow(0, 0, 1)}
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = rows, rows
		}, "0 0 0 1 0:0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).rootless()
			test.change(c)
			c.sh("id -u; cat /proc/self/uid_map; stat -c %u:%g /dev")
			c.write()
			for _, flag := range []string{"--rootless=auto", "--rootless=true"} {
				r := c.shell(`exec unshare -Ur "$@"`,
					suite.runtime, "--root", c.state, flag, "run", c.id).must()
				want(t, flag, squeeze(r.out), test.want)
			}
		})
	}
}

// TestBadRootInUserNamespace: ids that the runtime's own user namespace does not have.
func TestBadRootInUserNamespace(t *testing.T) {
	onlyBerth(t)
	for _, test := range []struct {
		name   string
		userns bool
		change func(l *specs.Linux, u *specs.User)
		err    string
	}{
		{"uid map", true, func(l *specs.Linux, _ *specs.User) {
			l.UIDMappings = append(l.UIDMappings, mapRow(1, firstID, 5))
		}, "linux.uidMappings[1]: start init: operation not permitted (the user namespace that berth runs in does not have all of the 5 host ids from 100000 on)"},
		{"gid map", true, func(l *specs.Linux, _ *specs.User) {
			l.GIDMappings = []specs.LinuxIDMapping{mapRow(0, 0, 2)}
		}, "linux.gidMappings[0]: start init: operation not permitted (the user namespace that berth runs in does not have all of the 2 host ids from 0 on)"},
		{"group", true, func(_ *specs.Linux, u *specs.User) { u.AdditionalGids = []uint32{0} }, "process.user.additionalGids: "},
		{"no user namespace, uid", false, func(_ *specs.Linux, u *specs.User) { u.UID = 1000 }, "process.user.uid: setuid: invalid argument (1000 is not mapped"},
		{"no user namespace, gid", false, func(_ *specs.Linux, u *specs.User) { u.GID = 1000 }, "process.user.gid: setgid: invalid argument (1000 is not mapped"},
		{"no user namespace, group", false, func(_ *specs.Linux, u *specs.User) { u.AdditionalGids = []uint32{0} }, "process.user.additionalGids: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).rootless()
			l := c.spec.Linux
			l.UIDMappings, l.GIDMappings = []specs.LinuxIDMapping{mapRow(0, 0, 1)}, []specs.LinuxIDMapping{mapRow(0, 0, 1)}
			if !test.userns {
				c.without(specs.UserNamespace)
				l.UIDMappings, l.GIDMappings = nil, nil
			}
			test.change(l, &c.spec.Process.User)
			c.write()
			r := c.shell(`exec unshare -Ur "$@"`, suite.runtime, "--root", c.state, "create", c.id)
			r.fails(test.err, "")
			if strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("stderr %q, want one line", r.stderr)
			}
			c.checkNothingLeft()
		})
	}
}

// TestExecUnmapped: exec reports unmapped ids when the kernel refuses them.
func TestExecUnmapped(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().running()
	c.command("exec", "--user", "5", c.id, "true").fails("process.user.uid: setuid: invalid argument (5 is not mapped", "")
	c.command("exec", "--user", "0:6", c.id, "true").fails("process.user.gid: setgid: invalid argument (6 is not mapped", "")
	c.command("exec", "--additional-gids", "0", c.id, "true").fails("process.user.additionalGids: ", "")
	c.command("exec", c.id, "true").must()
}

// TestRootlessOOMScore: any user may raise oom_score_adj.
func TestRootlessOOMScore(t *testing.T) {
	onlyBerth(t)
	const show = "cat /proc/self/oom_score_adj"
	adj := 321
	first := newContainer(t).rootless()
	first.spec.Process.OOMScoreAdj = &adj
	first.running()
	want(t, "exec", first.execOut(first.id, "sh", "-c", show), "321")
	for name, namespace := range map[string]string{"new": "", "joined": fmt.Sprintf("/proc/%d/ns/user", first.pid)} {
		c := anotherContainer(t, first).rootless().sh(show)
		c.spec.Process.OOMScoreAdj = &adj
		c.namespace(specs.UserNamespace, namespace)
		want(t, name+" user namespace", c.output(), "321")
	}
}

// TestWithoutCgroup: commands that need a cgroup fail with one line.
func TestWithoutCgroup(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().running()
	field := map[string]string{"--memory": "memory.limit", "--pids-limit": "pids.limit"}
	for _, args := range [][]string{
		{"pause", c.id},
		{"update", "--memory", "1g", c.id},
		{"update", "--pids-limit", "5", c.id},
		{"events", "--stats", c.id},
		{"events", "--interval", "1s", c.id},
		{"exec", "--cgroup", "/sub", c.id, "true"},
	} {
		text := "the container has no cgroup"
		if args[0] == "update" {
			text = "linux.resources." + field[args[1]] + ": " + text
		}
		r := c.command(args...).fails(text, "")
		if strings.Count(r.stderr, "\n") != 1 || r.out != "" {
			t.Errorf("%s: printed %q and %q, want one line", r.what, r.out, r.stderr)
		}
	}
	c.command("resume", c.id).fails("container not paused", "")
	c.status(specs.StateRunning)
	var pids []int
	decode(t, c.command("ps", "--format", "json", c.id).must().out, &pids)
	if !slices.Equal(pids, []int{c.pid}) {
		t.Errorf("pids %v, want %d", pids, c.pid)
	}
}
