// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// execOut runs a command in the running container and returns what it prints.
func (c *container) execOut(args ...string) string {
	c.t.Helper()
	r := c.command(append([]string{"exec"}, args...)...).must()
	if r.stderr != "" {
		c.t.Errorf("%s: stderr %q", r.what, r.stderr)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// execStatus runs `cat /proc/self/status` in the container with options.
func (c *container) execStatus(options ...string) map[string]string {
	c.t.Helper()
	fields := map[string]string{}
	for line := range strings.Lines(c.execOut(append(options, c.id, "cat", "/proc/self/status")...)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

// process writes a process document into the bundle.
func (c *container) process(p *specs.Process) string {
	c.t.Helper()
	path := c.path("process.json")
	if err := os.WriteFile(path, marshal(c.t, p), 0o600); err != nil {
		c.t.Fatal(err)
	}
	suite.users.chownToCaller(c.t, path)
	return path
}

func TestExec(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.Env = append(c.spec.Process.Env, "FROM=container")
	c.spec.Process.Cwd = "/tmp"
	c.running()
	out := c.execOut(c.id, "/bin/sh", "-c", "echo $FROM $HOME; pwd; hostname; until read c </proc/1/comm && test $c = tail; do :; done; echo $c; ls -d /proc/self/root/.; echo $0 $1", "a b", "c")
	want(t, "output", out, "container /root\n/tmp\ntestbox\ntail\n/proc/self/root/.\na b c")
	// All namespaces are those of init.
	script := "for n in cgroup ipc mnt net pid uts user; do readlink /proc/$1/ns/$n; done"
	want(t, "namespaces", c.execOut(c.id, "sh", "-c", script, "sh", "self"), c.execOut(c.id, "sh", "-c", script, "sh", "1"))
	// Options after the container's id are the command's.
	want(t, "arguments", c.execOut(c.id, "echo", "-u", "--cwd"), "-u --cwd")
	// The container continues to run.
	c.status(specs.StateRunning)
}

func TestExecExitStatus(t *testing.T) {
	c := newContainer(t).running()
	for _, n := range []int{0, 1, 126, 127, 128, 255} {
		c.command("exec", c.id, "sh", "-c", fmt.Sprintf("exit %d", n)).code(n)
	}
	for _, sig := range []int{9, 15, 6} {
		c.command("exec", c.id, "sh", "-c", fmt.Sprintf("kill -%d $$", sig)).code(128 + sig)
	}
}

// TestExecInCreated: the namespaces exist before the program has started.
func TestExecInCreated(t *testing.T) {
	c := newContainer(t).args("sleep", "1000").create()
	want(t, "output", c.execOut(c.id, "cat", "/proc/self/comm"), "cat")
	c.status(specs.StateCreated)
}

func TestExecErrors(t *testing.T) {
	const id = "CONTAINER"
	for _, tc := range []struct {
		name     string
		args     []string
		text     string
		crunText string
	}{
		{"no such program", []string{id, "nope"}, `exec failed: unable to start container process: exec: "nope": executable file not found in $PATH`, "executable file `nope` not found"},
		{"no such file", []string{id, "/nope"}, `exec: "/nope": stat /nope: no such file or directory`, "executable file `/nope` not found"},
		{"a directory", []string{id, "/etc"}, `exec: "/etc": is a directory: permission denied`, ""},
		{"not executable", []string{id, "/etc/passwd"}, `exec: "/etc/passwd": permission denied`, ""},
		{"no such cwd", []string{"--cwd", "/nope", id, "true"}, "no such file or directory", "No such file"},
		{"relative cwd", []string{"--cwd", "tmp", id, "true"}, "Cwd must be an absolute path", ""},
		{"cwd by a descriptor", []string{"--cwd", "/proc/self/fd/7", id, "true"}, "", ""},
		{"bad environment", []string{"-e", "NAME", id, "true"}, `"NAME"`, ""},
		{"bad user", []string{"-u", "root", id, "true"}, "exec failed: ", ""},
		{"bad group", []string{"-u", "1:", id, "true"}, "exec failed: ", ""},
		{"user with a sign", []string{"-u", "-1", id, "true"}, "exec failed: ", ""},
		{"user beyond the last", []string{"-u", "4294967295", id, "true"}, "exec failed: ", ""},
		{"bad capability", []string{"--cap", "CAP_NOPE", id, "true"}, "", ""},
		{"no command", []string{id}, "args", ""},
		{"no container", []string{"nobody", "true"}, "container does not exist", ""},
		{"no process document", []string{"--process", "/nope", id}, "no such file or directory", ""},
		{"process document is no JSON", []string{"--process", "/etc/passwd", id}, "exec failed: ", ""},
		{"terminal without a socket", []string{"-t", "-d", id, "true"}, "will detach without setting console socket", ""},
		{"socket without a terminal", []string{"-d", "--console-socket", "/nope", id, "true"}, "will not detach or allocate tty", ""},
		{"fds that are not open", []string{"--preserve-fds", "5", id, "true"}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).running()
			args := append([]string{"exec"}, tc.args...)
			if i := slices.Index(args, id); i > 0 {
				args[i] = c.id
			}
			r := c.command(args...)
			r.fails(tc.text, tc.crunText)
			if suite.name != "crun" {
				r.code(255)
			}
			if strings.Count(strings.TrimSpace(r.stderr), "\n") > 0 {
				t.Errorf("more than one line: %q", r.stderr)
			}
			c.status(specs.StateRunning)
		})
	}
}

// TestExecFailsLate: an execve(2) that fails is reported like any other error.
func TestExecFailsLate(t *testing.T) {
	c := newContainer(t).running()
	if err := os.WriteFile(c.rootfs("bad"), []byte("\x7fELFnothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	pidFile := c.path("exec.pid")
	c.command("exec", "-d", "--pid-file", pidFile, c.id, "/bad").fails("exec format error", "xec format error")
	if _, err := os.Stat(pidFile); err == nil {
		t.Error("a pid file is left")
	}
}

func TestExecInStopped(t *testing.T) {
	c := newContainer(t).args("true").create().start()
	c.wait()
	c.command("exec", c.id, "true").fails("cannot exec in a stopped container", "")
}

func TestExecUser(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.User = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{9}}
	c.running()
	ids := func(options ...string) string {
		s := c.execStatus(options...)
		groups := strings.Fields(s["Groups"])
		slices.Sort(groups)
		return strings.Fields(s["Uid"])[0] + ":" + strings.Fields(s["Gid"])[0] + " " + strings.Join(groups, ",")
	}
	want(t, "ids without options", ids(), "7:8 9")
	want(t, "ids", ids("--user", "1000:1001"), "1000:1001 9")
	want(t, "ids with a uid alone", ids("-u", "1000"), "1000:8 9")
	want(t, "ids with groups", ids("-u", "0:0", "-g", "10", "-g", "11"), "0:0 10,11,9")
	want(t, "HOME", c.execOut("-u", "1000", c.id, "sh", "-c", "echo $HOME"), "/home/user")
	want(t, "HOME of nobody", c.execOut("-u", "4242", c.id, "sh", "-c", "echo $HOME"), "/")
}

// TestExecEmptyOptions: scripts may pass empty values for options.
func TestExecEmptyOptions(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.User, c.spec.Process.Cwd = specs.User{UID: 7, GID: 8}, "/tmp"
	c.running()
	script := "id -u; id -g; pwd"
	options := []string{"--user", "", "--cwd", "", "--process", "", "--pid-file", "", "--console-socket", "", "--apparmor", "", "--process-label", ""}
	want(t, "user, directory", c.execOut(append(options, c.id, "sh", "-c", script)...), "7\n8\n/tmp")
}

func TestExecEnvironment(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.Env = []string{"PATH=/bin:/usr/bin", "A=1", "B=2"}
	c.running()
	lines := strings.Split(c.execOut("-e", "B=3", "-e", "C=with = and, comma", c.id, "env"), "\n")
	slices.Sort(lines)
	want(t, "environment", strings.Join(lines, "|"), "A=1|B=3|C=with = and, comma|HOME=/root|PATH=/bin:/usr/bin")
	want(t, "cwd", c.execOut("--cwd", "/proc", c.id, "pwd"), "/proc")
	want(t, "HOME", c.execOut("-e", "HOME=/mine", c.id, "sh", "-c", "echo $HOME"), "/mine")
}

func TestExecCapabilities(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.NoNewPrivileges = false
	c.spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL", "CAP_NET_RAW"}, Permitted: []string{"CAP_KILL", "CAP_NET_RAW"}, Effective: []string{"CAP_KILL"},
	}
	c.running()
	s := c.execStatus()
	want(t, "bounding set", s["CapBnd"], capMask(t, "CAP_KILL", "CAP_NET_RAW"))
	want(t, "effective set", s["CapEff"], capMask(t, "CAP_KILL", "CAP_NET_RAW")) // root's, after an exec
	s = c.execStatus("-c", "CAP_SYS_CHROOT", "-c", "CAP_MKNOD", "-u", "0:0")
	all := capMask(t, "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD")
	want(t, "bounding set", s["CapBnd"], all)
	want(t, "permitted set", s["CapPrm"], all)
	want(t, "inheritable set", s["CapInh"], capMask(t))
	want(t, "ambient set", s["CapAmb"], capMask(t))
	// An ordinary user does not get the capability, and above all no inheritable one.
	s = c.execStatus("--cap", "CAP_SYS_CHROOT", "-u", "1000:1000")
	want(t, "permitted set of a user", s["CapPrm"], capMask(t))
	want(t, "inheritable set of a user", s["CapInh"], capMask(t))
}

func TestExecNoNewPrivileges(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.NoNewPrivileges = false
	c.running()
	want(t, "NoNewPrivs", c.execStatus()["NoNewPrivs"], "0")
	want(t, "NoNewPrivs", c.execStatus("--no-new-privs")["NoNewPrivs"], "1")
	other := anotherContainer(t, c)
	other.spec.Process.NoNewPrivileges = true
	other.running()
	want(t, "NoNewPrivs", other.execStatus()["NoNewPrivs"], "1")
}

// TestExecProcess: the document describes the process. Restrictions that it does not set are the
// container's.
func TestExecProcess(t *testing.T) {
	c := newContainer(t)
	adj := 123
	c.spec.Process.OOMScoreAdj = &adj
	c.spec.Process.NoNewPrivileges = false
	c.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}}
	c.running()
	p := &specs.Process{
		Args: []string{"sh", "-c", "grep -E '^(Uid|Gid|CapBnd):' /proc/self/status; pwd; cat /proc/self/oom_score_adj; echo $A; umask"},
		Cwd:  "/tmp", User: specs.User{UID: 5, GID: 6}, Env: []string{"PATH=/bin:/usr/bin", "A=b"},
	}
	want(t, "output", squeeze(c.execOut("--process", c.process(p), c.id)),
		"Uid: 5 5 5 5 Gid: 6 6 6 6 CapBnd: "+capMask(t, "CAP_KILL")+" /tmp 123 b 0022")
	p.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL", "CAP_CHOWN"}}
	p.NoNewPrivileges, p.Args = true, []string{"grep", "-E", "^(CapBnd|NoNewPrivs)", "/proc/self/status"}
	out := squeeze(c.execOut("-p", c.process(p), c.id))
	for _, w := range []string{"NoNewPrivs: 1", "CapBnd: " + capMask(t, "CAP_KILL", "CAP_CHOWN")} {
		if !strings.Contains(out, w) {
			t.Errorf("%q has no %q", out, w)
		}
	}
}

// TestExecProcessFromPipe: the document may be a pipe, as for <(...) in a shell.
func TestExecProcessFromPipe(t *testing.T) {
	c := newContainer(t).running()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	suite.users.chownToCaller(t, fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
	p := &specs.Process{Args: []string{"/bin/echo", "piped"}, Cwd: "/"}
	if _, err := w.Write(marshal(t, p)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, "output", c.commandWithStdin(r, "exec", "--process", "/dev/stdin", c.id).must().out, "piped\n")
}

func TestExecProcessRlimits(t *testing.T) {
	c := newContainer(t).running()
	p := &specs.Process{
		Args: []string{"sh", "-c", "ulimit -Sn; ulimit -Hn"}, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin"},
		Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}},
	}
	want(t, "limits", squeeze(c.execOut("-p", c.process(p), c.id)), "100 200")
}

// TestExecUmask: processes that exec adds have the container's umask.
func TestExecUmask(t *testing.T) {
	c := newContainer(t)
	umask := uint32(0o27)
	c.spec.Process.User.Umask = &umask
	c.running()
	want(t, "umask", c.execOut(c.id, "sh", "-c", "umask"), "0027")
}

func TestExecRlimits(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 300, Hard: 400}}
	c.running()
	want(t, "limits", squeeze(c.execOut(c.id, "sh", "-c", "ulimit -Sn; ulimit -Hn")), "300 400")
}

// TestExecDetach: the caller gets the pid and is the parent, as engines expect, and nothing is
// printed.
func TestExecDetach(t *testing.T) {
	c := newContainer(t).running()
	out, in := c.fifo("out"), c.fifo("in")
	pidFile := c.path("exec.pid")
	c.command("exec", "--detach", "--pid-file", pidFile, c.id, "sh", "-c", "echo up >/out; read x </in; exit 9").must().silent()
	data, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil {
		t.Fatalf("pid file %q", data)
	}
	want(t, "output", out.line(), "up")
	st, err := readStat(pid)
	if err != nil || st.ppid != os.Getpid() {
		t.Fatalf("process %d: %+v, %v; want it to be ours", pid, st, err)
	}
	if !slices.Contains(cgroupPIDs(c), pid) {
		t.Errorf("process %d is not in the container's cgroup", pid)
	}
	in.send("go on")
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := pollIn(fd); err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 9 {
		t.Errorf("wait status %#x, %v", ws, err)
	}
}

func TestExecStandardStreams(t *testing.T) {
	c := newContainer(t).running()
	in, err := os.Open(c.rootfs("etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := c.commandWithStdin(in, "exec", c.id, "sh", "-c", "head -n 1; echo problem >&2").must()
	if !strings.HasPrefix(r.out, "root:") || r.stderr != "problem\n" {
		t.Errorf("stdout %q, stderr %q", r.out, r.stderr)
	}
}

func TestExecPreserveFDs(t *testing.T) {
	c := newContainer(t).running()
	path := filepath.Join(c.dir, "third")
	if err := os.WriteFile(path, []byte("third\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.files = append(c.files, f)
	}
	// ls has one more descriptor open.
	want(t, "output", squeeze(c.execOut("--preserve-fds", "1", c.id, "sh", "-c", "cat <&3; ls /proc/self/fd")), "third 0 1 2 3 4")
	want(t, "files", squeeze(c.execOut(c.id, "ls", "/proc/self/fd")), "0 1 2 3")
}

// TestExecSignals: exec forwards signals to its process.
func TestExecSignals(t *testing.T) {
	c := newContainer(t).running()
	c.checkSignals(c.fifo("out"), "exec", c.id, "sh", "-c", signalPrinter)
}

// TestExecContainerEnds: a process that exec has added ends with the container.
func TestExecContainerEnds(t *testing.T) {
	c := newContainer(t).running()
	out := c.fifo("out")
	r := c.launch(nil, "exec", c.id, "sh", "-c", "echo up >/out; exec sleep 10000")
	want(t, "output", out.line(), "up")
	c.command("kill", c.id, "KILL").must()
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(128 + 9)
}

// TestExecMany runs several execs at the same time.
func TestExecMany(t *testing.T) {
	c := newContainer(t).running()
	var all [][]string
	for range 10 {
		all = append(all, []string{"exec", c.id, "true"})
	}
	for _, r := range c.runTogether(all...) {
		r.code(0)
	}
}

func TestExecRootless(t *testing.T) {
	c := newContainer(t).rootless()
	c.running()
	want(t, "ids", c.execOut(c.id, "id", "-u"), "0")
	want(t, "pid namespace", c.execOut(c.id, "readlink", "/proc/self/ns/pid"), c.execOut(c.id, "readlink", "/proc/1/ns/pid"))
	c.command("exec", c.id, "sh", "-c", "exit 7").code(7)
	c.command("exec", c.id, "nope").code(255)
}

// TestDeleteWithUncollectedExec: until the parent of a process that exec has added reaps it,
// which may never happen, the kernel does not let the container's first process end.
func TestDeleteWithUncollectedExec(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		kill bool
	}{
		{"force", []string{"delete", "--force"}, false},
		{"killed before", []string{"delete"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).running()
			c.command("exec", "-d", "--pid-file", c.path("exec.pid"), c.id, "true").must()
			pid, err := strconv.Atoi(readFile(t, c.path("exec.pid")))
			if err != nil {
				t.Fatal(err)
			}
			waitZombie(t, pid)
			if tc.kill {
				c.command("kill", c.id, "KILL").must()
				for err := error(nil); err == nil; { // until the kernel has released its namespaces
					_, err = os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", c.pid))
				}
				c.status(specs.StateStopped)
			}
			c.command(append(tc.args, c.id)...).must().silent()
			if _, err := os.Stat(c.cgroupDir("memory")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("cgroup: %v", err)
			}
			for _, pid := range []int{pid, c.pid} {
				if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
					t.Errorf("process %d: %v", pid, err)
				}
			}
		})
	}
}

// waitZombie waits for the end of a process without reaping it.
func waitZombie(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := pollIn(fd); err != nil {
		t.Fatal(err)
	}
}
