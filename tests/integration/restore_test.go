// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// piped is a command of the runtime whose streams are pipes, as an engine's are.
type piped struct {
	c   *container
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (c *container) piped(args ...string) *piped {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	c.t.Cleanup(cancel)
	p := &piped{c: c, cmd: exec.CommandContext(ctx, suite.runtime, slices.Concat(c.globals(), args)...)}
	p.cmd.Dir = c.dir
	p.cmd.WaitDelay = time.Second // for a container that lives longer, and has the streams
	suite.users.command(p.cmd)
	var out io.Reader
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		out, err = p.cmd.StdoutPipe()
	}
	// A pipe as well: the tests' own may be a file, which is not in the container for criu.
	p.cmd.Stderr = c.t.Output()
	if err == nil {
		err = p.cmd.Start()
	}
	c.t.Cleanup(func() { p.in.Close(); _ = p.cmd.Wait() })
	if err != nil {
		c.t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	return p
}

// say writes a line and checks the one that comes back.
func (p *piped) say(line, answer string) {
	p.c.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.c.t.Fatal(err)
	}
	got, err := p.out.ReadString('\n')
	if err != nil || got != answer+"\n" {
		p.c.t.Fatalf("%q is answered by %q, %v; want %q", line, got, err, answer)
	}
}

// detaches waits for a command that leaves its streams to a container.
func (p *piped) detaches() {
	p.c.t.Helper()
	state, err := p.cmd.Process.Wait()
	if err != nil || !state.Success() {
		p.c.t.Fatalf("%q: %v, %v", p.cmd.Args[1:], state, err)
	}
}

// end closes the input and tells the exit status.
func (p *piped) end() int {
	p.c.t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.c.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// TestRestoreForeground restores with other pipes than the container had: the program
// reads and writes these, and its exit status is the command's.
func TestRestoreForeground(t *testing.T) {
	c := newContainer(t).sh("while read x; do echo got $x; done; exit 7")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.write()
	first := c.piped("run", c.id)
	first.say("one", "got one")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint().must().silent()
	first.end()
	again := c.piped("restore", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	again.say("two", "got two")
	want(t, "exec", c.execOut(c.id, "echo", "here"), "here")
	if status := again.end(); status != 7 {
		t.Errorf("status %d, want 7", status)
	}
	c.command("state", c.id).fails("does not exist", "")
	c.nothingLeft()
}

// TestRestoreExitStatus: that of the first process.
func TestRestoreExitStatus(t *testing.T) {
	k := newCounter(t)
	k.sh("n=0; while read x; do [ $x = end ] && exit 7; n=$((n+1)); echo $n >/out; done </in")
	k.up()
	k.checkpoint()
	r := k.launch(nil, "restore", "--image-path", k.images(), "--work-path", k.logs(), k.id)
	k.ask()
	k.in.send("end")
	res, err := k.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(7).silent()
	k.command("state", k.id).fails("does not exist", "")
	k.nothingLeft()
}

// console restores a container with a terminal, whose master goes to a socket.
func (c *container) console(name string, command ...string) *os.File {
	c.t.Helper()
	r := c.receiver(name)
	c.write()
	started := c.launch(nil, append(command, "--pid-file", c.path("pid"), "--console-socket", r.path, c.id)...)
	master, _ := r.receive()
	res, err := c.finish(started)
	if err != nil {
		c.t.Fatal(err)
	}
	res.must().silent()
	c.pid = c.readPID()
	return master
}

func TestRestoreConsole(t *testing.T) {
	c := newContainer(t).terminal().sh("echo ready; while read x; do echo got $x; stty size; done")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.spec.Process.ConsoleSize = &specs.Box{Height: 33, Width: 111}
	master := c.console("s", "run", "--detach")
	readUntil(t, master, "ready")
	c.checkpoint()
	master = c.console("s2", "restore", "--detach", "--image-path", c.images(), "--work-path", c.logs())
	c.status(specs.StateRunning)
	if _, err := master.WriteString("line\n"); err != nil {
		t.Fatal(err)
	}
	if seen := readUntil(t, master, "33 111"); !strings.Contains(seen, "got line") {
		t.Errorf("the terminal shows %q", seen)
	}
	if _, err := master.WriteString("\x04"); err != nil {
		t.Fatal(err)
	}
	readAll(t, master)
	if ws := c.wait(); ws.ExitStatus() != 0 {
		t.Errorf("wait status %#x", ws)
	}
	c.command("delete", c.id).must().silent()
}

// TestRestoreTerminal has the terminal of whoever calls the restore.
func TestRestoreTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh("echo ready; read x; echo got $x; stty size; exit 5")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.write()
	first := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
	first.until("ready")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint().must().silent()
	first.end()
	p := c.onTerminal(unix.Winsize{Row: 22, Col: 78}, "restore", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		t.Fatal(err)
	}
	p.until("got typed in")
	if status := p.end(); status != 5 || !strings.Contains(p.seen.String(), "22 78") {
		t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
	c.nothingLeft()
}

// TestRestoreConsoleFlags: the rules for who gets the terminal are those of run.
func TestRestoreConsoleFlags(t *testing.T) {
	k := newCounter(t).up()
	k.checkpoint()
	k.tryRestore("--console-socket", k.path("nowhere")).fails("cannot use console socket", "")
	k.terminal()
	k.tryRestore().fails("cannot allocate tty", "")
	k.tryRestore("--console-socket", k.path("nowhere")).fails("no such file or directory", "")
	k.nothingLeft()
	// That the images have none is found out too late to tell before.
	r := k.receiver("s")
	k.tryRestore("--console-socket", r.path).fails("", "")
	k.nothingLeft()
}

// TestShellJob has the terminal of a shell as its streams, which is not the container's.
func TestShellJob(t *testing.T) {
	c := newContainer(t).sh("echo ready; read x; echo got $x; exit 5")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.write()
	first := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
	first.until("ready")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint("--shell-job").must().silent()
	first.end()
	p := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "restore", "--shell-job", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		t.Fatal(err)
	}
	p.until("got typed in")
	if status := p.end(); status != 5 {
		t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
}

// TestRestoreMounts has mounts from the host, in places of all kinds, with options; one is
// another directory by the time of the restore.
func TestRestoreMounts(t *testing.T) {
	k := newCounter(t)
	dir, other := k.volume("volume"), k.volume("other")
	if err := os.WriteFile(filepath.Join(other, "file"), []byte("another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub", k.rootfs("link")); err != nil {
		t.Fatal(err)
	}
	k.tmpfsAt(filepath.Join(dir, "sub"), unix.MS_NOSUID)
	k.mount("/moved", "bind", dir, "bind")
	k.mount("/ro", "bind", dir, "bind", "ro", "nosuid")
	k.mount("/rec", "bind", dir, "rbind", "rslave")
	k.mount("/link/below", "bind", dir, "bind")
	k.mount("/etc/one", "bind", filepath.Join(dir, "file"), "bind", "ro")
	k.mount("/tmp", "tmpfs", "tmpfs", "size=1m", "nodev")
	k.mount("/tmp/in", "bind", dir, "bind")
	k.up()
	k.execOut(k.id, "sh", "-c", "echo kept >/tmp/kept")
	before := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	k.checkpoint()
	for i := range k.spec.Mounts {
		if k.spec.Mounts[i].Destination == "/moved" {
			k.spec.Mounts[i].Source = other
		}
	}
	k.restore()
	k.ask()
	after := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	want(t, "mounts", strings.ReplaceAll(mountList(after), "/other ", "/volume "), mountList(before))
	want(t, "tmpfs", k.execOut(k.id, "cat", "/tmp/kept"), "kept")
	want(t, "other source", k.execOut(k.id, "cat", "/moved/file"), "another")
	want(t, "the rest", k.execOut(k.id, "cat", "/ro/file", "/etc/one", "/tmp/in/file", "/sub/below/file"), strings.TrimSpace(strings.Repeat("from the host\n", 4)))
	if res := k.command("exec", k.id, "touch", "/ro/x"); res.status == 0 {
		t.Error("the read-only mount is writable")
	}
	k.command("delete", "--force", k.id).must()
}

// TestRestoreSharedMounts: with propagation from the host, as on a host that systemd has
// set up.
func TestRestoreSharedMounts(t *testing.T) {
	k := newCounter(t)
	dir := k.tmpfsVolume("volume", 0)
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	k.mount("/slave", "bind", dir, "rbind", "rslave")
	k.mount("/private", "bind", dir, "rbind", "rprivate")
	k.up()
	k.checkpoint()
	k.restore()
	k.ask()
	sub := filepath.Join(dir, "new")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	k.tmpfsAt(sub, 0)
	text := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	if !strings.Contains(text, " /slave/new ") {
		t.Errorf("no mount has come in: %s", text)
	}
	if strings.Contains(text, " /private/new ") {
		t.Errorf("a mount has come into a private one: %s", text)
	}
	k.command("delete", "--force", k.id).must()
}

// TestRestoreMountMissing: what the images need and the config does not have any more.
func TestRestoreMountMissing(t *testing.T) {
	k := newCounter(t)
	k.mount("/volume", "bind", k.volume("volume"), "bind")
	k.up()
	k.checkpoint()
	k.spec.Mounts = k.spec.Mounts[:len(k.spec.Mounts)-1]
	k.tryRestore().fails("/volume", "")
	k.nothingLeft()
}

func TestRestoreIDMappedMount(t *testing.T) {
	k := newCounter(t)
	dir := k.ownedVolume(0, 1)
	rows := []specs.LinuxIDMapping{mapRow(0, 20000, 10)}
	k.spec.Mounts = append(k.spec.Mounts, specs.Mount{
		Destination: "/mapped", Type: "bind", Source: dir, Options: []string{"bind"}, UIDMappings: rows, GIDMappings: rows,
	})
	k.up()
	before := k.execOut(k.id, "stat", "-c", "%u %g %n", "/mapped")
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "owners", k.execOut(k.id, "stat", "-c", "%u %g %n", "/mapped"), before)
}

// TestCheckpointIDMappedFilesystem: criu would make it again without its maps.
func TestCheckpointIDMappedFilesystem(t *testing.T) {
	onlyBerth(t)
	if !kernelAtLeast(t, 6, 3) {
		t.Skip("requires Linux 6.3, whose tmpfs can be id-mapped")
	}
	k := newCounter(t)
	k.mount("/t", "tmpfs", "tmpfs", "idmap=uids=0-1000-1;gids=0-1000-1")
	k.up()
	k.tryCheckpoint().fails("/t: an id-mapped file system", "")
	k.ask()
}

// TestRestoreJoinedNetwork: the network namespace is somebody else's, and may be another
// one by then.
func TestRestoreJoinedNetwork(t *testing.T) {
	k := newCounter(t)
	first, second := anotherContainer(t, k.container).running(), anotherContainer(t, k.container).running()
	k.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", first.pid))
	k.up()
	k.checkpoint()
	k.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", second.pid))
	k.restore()
	k.ask()
	if nsOf(t, k.pid, "net") != nsOf(t, second.pid, "net") {
		t.Error("not in the namespace to be joined")
	}
}

// TestRestoreJoined: into the namespaces of a pod.
func TestRestoreJoined(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{specs.IPCNamespace, specs.UTSNamespace} {
		t.Run(string(typ), func(t *testing.T) {
			k := newCounter(t)
			pod := anotherContainer(t, k.container).running()
			k.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", pod.pid, nsFiles[typ]))
			hostSafe(k.container, typ)
			k.up()
			k.checkpoint()
			k.restore()
			k.ask()
			if nsOf(t, k.pid, nsFiles[typ]) != nsOf(t, pod.pid, nsFiles[typ]) {
				t.Error("not in the namespace to be joined")
			}
		})
	}
}

// TestRestoreAbsent: what is shared with the host stays so.
func TestRestoreAbsent(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace} {
		t.Run(string(typ), func(t *testing.T) {
			k := newCounter(t)
			k.without(typ)
			hostSafe(k.container, typ)
			k.up()
			k.checkpoint()
			k.restore()
			k.ask()
			if nsOf(t, k.pid, nsFiles[typ]) != nsOf(t, os.Getpid(), nsFiles[typ]) {
				t.Error("not the host's namespace")
			}
		})
	}
}

// TestRestoreHooks: those of the runtime's namespaces come again, and see the process.
func TestRestoreHooks(t *testing.T) {
	k := newCounter(t)
	k.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{k.logHook("poststop")}}
	k.up()
	k.checkpoint()
	want(t, "hooks after the checkpoint", k.hookLog(), "poststop")
	save := specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "cat >" + k.path("state.hook")}}
	k.spec.Hooks = &specs.Hooks{
		Prestart: []specs.Hook{k.logHook("prestart"), save}, CreateRuntime: []specs.Hook{k.logHook("createRuntime")},
		Poststop: []specs.Hook{k.logHook("poststop2")},
	}
	k.restore()
	k.ask()
	want(t, "hooks after the restore", k.hookLog(), "poststop prestart createRuntime")
	data, err := os.ReadFile(k.path("state.hook"))
	if err != nil || !strings.Contains(string(data), fmt.Sprintf(`"pid":%d`, k.pid)) {
		t.Errorf("the hook's state %s, %v; want pid %d", data, err, k.pid)
	}
	k.command("delete", "--force", k.id).must()
	want(t, "hooks after delete", k.hookLog(), "poststop prestart createRuntime poststop2")
}

func TestRestoreHookFails(t *testing.T) {
	k := newCounter(t).up()
	k.checkpoint()
	k.spec.Hooks = &specs.Hooks{
		CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no such luck; exit 3"}}},
		Poststop:      []specs.Hook{k.logHook("poststop")},
	}
	k.tryRestore().fails("no such luck", "")
	k.command("state", k.id).fails("does not exist", "")
	k.nothingLeft()
	want(t, "hooks", k.hookLog(), "poststop")
}

// TestRestoreRights: what the processes may do comes back with them, and what exec adds has
// that of the config.
func TestRestoreRights(t *testing.T) {
	k := newCounter(t)
	k.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(unix.EPERM))}},
	}
	k.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 7, Hard: 8}}
	k.up()
	fields := []string{"Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "CapPrm", "CapInh", "CapAmb", "Uid", "Gid", "Groups"}
	before := k.statusOf()
	k.checkpoint()
	k.restore()
	k.ask()
	after, added := k.statusOf(), k.execStatus()
	for _, f := range fields {
		want(t, f, after[f], before[f])
		if f != "Uid" && f != "Gid" && f != "Groups" { // which it sees as those of its user namespace
			want(t, f+" of exec", added[f], before[f])
		}
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(k.pid, unix.RLIMIT_CORE, nil, &limit); err != nil || limit != (unix.Rlimit{Cur: 7, Max: 8}) {
		t.Errorf("RLIMIT_CORE %+v, %v", limit, err)
	}
}

// TestRestoreRestrictions: a config that asks for more than the checkpoint has is refused.
func TestRestoreRestrictions(t *testing.T) {
	k := newCounter(t)
	k.spec.Process.NoNewPrivileges = false
	k.up()
	k.checkpoint()
	k.spec.Process.NoNewPrivileges = true
	k.tryRestore().fails("process.noNewPrivileges", "")
	k.nothingLeft()
	k.spec.Process.NoNewPrivileges = false
	k.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno}},
	}
	k.tryRestore().fails("linux.seccomp", "")
	k.nothingLeft()
	k.spec.Linux.Seccomp = nil
	k.restore()
	k.ask()
}

// TestRestoreRestrictionsAtOnce: of a refused restore no process runs, not for a moment, be
// the pid namespace its own or not.
func TestRestoreRestrictionsAtOnce(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(map[bool]string{true: "pid namespace", false: "host's pid namespace"}[own], func(t *testing.T) {
			k := newCounter(t)
			if !own {
				k.without(specs.PIDNamespace)
				hostSafe(k.container, specs.PIDNamespace)
			}
			k.spec.Process.NoNewPrivileges = false
			k.sh("(while :; do echo >>/runs; done) & until [ -s /runs ]; do :; done; " + counts)
			k.up()
			if !own && suite.users.name == "userns" {
				k.tryCheckpoint().fails("linux.namespaces: a container with a user namespace and without a pid namespace cannot be checkpointed", "")
				k.ask() // it runs on
				return
			}
			tree := append(childrenOf(t, k.pid), k.pid)
			k.checkpoint()
			for _, pid := range tree { // whose numbers they want again
				ends(pid)
			}
			reapZombies(t)
			size := func() int { return len(readFile(t, k.rootfs("runs"))) }
			before := size()
			k.spec.Process.NoNewPrivileges = true
			k.tryRestore().fails("process.noNewPrivileges", "")
			k.nothingLeft()
			if left, err := filepath.Glob(k.path("*", ".criu*")); err != nil || len(left) > 0 {
				t.Errorf("criu leaves %q, %v", left, err)
			}
			if after := size(); after != before {
				t.Errorf("the second process has run: %d bytes, %d before", after, before)
			}
		})
	}
}

// childrenOf are the processes that a process has started and not collected.
func childrenOf(t *testing.T, pid int) (all []int) {
	t.Helper()
	for _, word := range strings.Fields(readFile(t, fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))) {
		child, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, child)
	}
	return all
}

// statusOf reads the first process's /proc/PID/status.
func (c *container) statusOf() map[string]string {
	c.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = squeeze(value)
	}
	return fields
}

// TestRestoreLimits: of the cgroup, by the config of the restore; updates go on from there.
func TestRestoreLimits(t *testing.T) {
	k := newCounter(t)
	needController(t, "pids")
	k.up()
	k.checkpoint()
	k.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(77))}}
	k.restore()
	k.ask()
	want(t, "pids.max", k.cgroupFile("pids", "pids.max"), "77")
	k.command("update", "--pids-limit", "78", k.id).must()
	want(t, "pids.max", k.cgroupFile("pids", "pids.max"), "78")
}

// execDetached runs a script in the container, and reaps it when it has ended, as an engine
// does: init does not end before that. The channel is closed then.
func (c *container) execDetached(script string) <-chan struct{} {
	c.t.Helper()
	file := c.path("exec.pid")
	c.detached("exec", "--detach", "--pid-file", file, c.id, "sh", "-c", script).must()
	pid, err := strconv.Atoi(readFile(c.t, file))
	if err != nil {
		c.t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		_ = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED, nil)
	}()
	c.t.Cleanup(func() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		<-reaped
		_ = unix.Close(fd)
	})
	return reaped
}

// TestCheckpointExec has processes that exec has added: what descends from the first
// process by then is saved, and what does not is told.
func TestCheckpointExec(t *testing.T) {
	for name, script := range map[string]string{
		"daemon": "(echo up >/ready; exec sleep 1234) &",
		"alone":  "echo up >/ready; exec sleep 1234",
	} {
		t.Run(name, func(t *testing.T) {
			k := newCounter(t).up()
			ready := k.fifo("ready")
			ended := k.execDetached(script)
			want(t, "exec", ready.line(), "up")
			if name == "daemon" {
				<-ended
			}
			res := k.tryCheckpoint().must()
			if told := strings.Contains(res.stderr, "is not saved"); told != (name == "alone") {
				t.Errorf("stderr %q", res.stderr)
			}
			k.restore()
			k.ask()
			ps := k.execOut(k.id, "sh", "-c", `cat /proc/[0-9]*/cmdline | tr '\0' ' '`)
			if saved := strings.Contains(ps, "sleep 1234"); saved != (name == "daemon") {
				t.Errorf("after the restore: %s", ps)
			}
		})
	}
}

// TestCheckpointExecLeavesRunning: what is not saved runs on as well.
func TestCheckpointExecLeavesRunning(t *testing.T) {
	k := newCounter(t).up()
	ready := k.fifo("ready")
	second := k.fifo("ready2")
	k.execDetached("echo up >/ready; read x </ready2; echo $x >/ready")
	want(t, "exec", ready.line(), "up")
	k.tryCheckpoint("--leave-running").must()
	second.send("still")
	want(t, "exec", ready.line(), "still")
	k.ask()
}

// TestRestoreSysctls: criu saves only some of those that a namespace has.
func TestRestoreSysctls(t *testing.T) {
	k := newCounter(t)
	k.spec.Linux.Sysctl = map[string]string{
		"net.core.somaxconn": "77", "net.ipv4.ip_unprivileged_port_start": "88", "net.ipv4.conf.lo.rp_filter": "2", "kernel.shmmni": "999",
	}
	k.up()
	show := func() string {
		var values []string
		for key := range k.spec.Linux.Sysctl {
			values = append(values, key+"="+k.execOut(k.id, "cat", "/proc/sys/"+strings.ReplaceAll(key, ".", "/")))
		}
		slices.Sort(values)
		return strings.Join(values, " ")
	}
	before := show()
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "sysctls", show(), before)
}

// TestRestoreNewRootfs: the root file system is made anew from the image, without mount
// points.
func TestRestoreNewRootfs(t *testing.T) {
	k := newCounter(t)
	k.mount("/made/volume", "bind", k.volume("volume"), "bind")
	k.mount("/made/file", "bind", filepath.Join(k.path("volume"), "file"), "bind")
	k.up()
	k.checkpoint()
	again := anotherContainer(t, k.container)
	again.spec.Process, again.spec.Mounts = k.spec.Process, k.spec.Mounts
	moved := &counter{container: again, in: again.fifo("in"), out: again.fifo("out"), n: k.n}
	if err := os.Rename(k.images(), again.images()); err != nil {
		t.Fatal(err)
	}
	moved.restore()
	moved.ask()
	want(t, "the volume", moved.execOut(moved.id, "cat", "/made/volume/file", "/made/file"), "from the host\nfrom the host")
	moved.command("delete", "--force", moved.id).must()
}

// TestRestoreNotify has a notify socket, whose mount the config does not tell of.
func TestRestoreNotify(t *testing.T) {
	k := newCounter(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: k.path("manager"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	k.env = append(os.Environ(), "NOTIFY_SOCKET="+k.path("manager"))
	k.detached("create", "--pid-file", k.path("pid"), k.id).must()
	k.env = nil
	k.pid = k.readPID()
	k.start()
	k.ask()
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "the directory", k.execOut(k.id, "sh", "-c", "grep -c ' /run/notify ' /proc/self/mountinfo"), "1")
}

// TestCheckpointAgent: nobody could answer after a restore.
func TestCheckpointAgent(t *testing.T) {
	c := newContainer(t)
	needCriu(t)
	newAgent(c, refuse).notify(c, "mkdir", "mkdirat")
	c.running()
	c.tryCheckpoint().fails("linux.seccomp.listenerPath", "")
	c.status(specs.StateRunning)
}
