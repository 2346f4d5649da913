// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// container is one container of a test, with a bundle and a runtime root of its own.
type container struct {
	t *testing.T
	// id is unique, dir is the bundle, and state is the runtime's --root.
	id, dir, state string
	// spec is written to the bundle before each create and run.
	spec *specs.Spec
	// pid is that of the first process, after create.
	pid int
	// cgroup is spec's cgroupsPath.
	cgroup string
	// files are passed to the runtime from fd 3 on.
	files []*os.File
	// global are the options between --root and the command.
	global []string
	// credential is the user who calls the runtime. nil means root, or the mode's user.
	credential *syscall.Credential
	// env is the environment of the runtime; nil means this process's.
	env []string
}

var containerCount atomic.Int64

// newContainer starts a test (see begin) and creates its bundle.
func newContainer(t *testing.T) *container {
	t.Helper()
	begin(t)
	return anotherContainer(t, nil)
}

// anotherContainer creates another bundle for a test, with the runtime root of first.
func anotherContainer(t *testing.T, first *container) *container {
	t.Helper()
	n := containerCount.Add(1)
	c := &container{t: t, id: fmt.Sprintf("%s-%d", suite.token, n), spec: bundle.Spec()}
	c.dir = filepath.Join(suite.work, c.id)
	c.state = filepath.Join(c.dir, "state")
	if first != nil {
		c.state = first.state
	}
	c.cgroup = "/" + suite.token + "/" + c.id
	c.spec.Linux.CgroupsPath = c.cgroup
	if suite.systemd {
		c.scope("system.slice")
	}
	for _, d := range []string{c.dir, c.path("rootfs"), c.path("upper"), c.path("work")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// This runs before the check for leaks, and after the test's own cleanups.
	t.Cleanup(c.remove)
	// The test may write to its root file system. Other tests do not see it.
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", suite.rootfs, c.path("upper"), c.path("work"))
	if err := unix.Mount("overlay", c.path("rootfs"), "overlay", 0, opts); err != nil {
		t.Fatalf("overlay mount: %v", err)
	}
	suite.users.chownBundle(c)
	return c
}

// remove deletes the container and its bundle, and checks what is left of them.
func (c *container) remove() {
	c.global, c.env, c.files, c.credential = nil, nil, nil, nil
	c.command("delete", "--force", c.id).code(0)
	c.killLeftovers()
	entries, err := os.ReadDir(c.state)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Error(err)
	}
	for _, e := range entries {
		// Names with a dot are caches that runtimes keep below their root.
		if e.Name() == c.id {
			c.t.Errorf("leak: state %s", e.Name())
		}
	}
	if err := unix.Unmount(c.path("rootfs"), 0); err != nil {
		c.t.Errorf("unmount the rootfs: %v", err)
		_ = unix.Unmount(c.path("rootfs"), unix.MNT_DETACH)
	}
	for _, m := range mountPoints(c.t) {
		if strings.HasPrefix(m, c.dir+"/") {
			c.t.Errorf("leak: mount %s", m)
			_ = unix.Unmount(m, unix.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Error(err)
	}
}

// killLeftovers reaps the container's first process, which delete has killed. The kernel may keep
// that process until other processes in its pid namespace are reaped, which exec or another
// container has put there. They are children of the tests as well.
func (c *container) killLeftovers() {
	if st, err := readStat(c.pid); c.pid <= 0 || err != nil || st.ppid != os.Getpid() {
		return
	}
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(suite.limit / 3); ; {
		n, err := unix.Poll(p, 10)
		if n == 1 {
			break
		}
		if err != nil && err != unix.EINTR || time.Now().After(deadline) {
			return // the check for leaks reports it
		}
		reapNamespaced(c.t)
	}
	_, _ = unix.Wait4(c.pid, nil, unix.WNOHANG, nil)
}

// reapNamespaced reaps the zombies that are in pid namespaces of containers.
func reapNamespaced(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := readStat(pid); err != nil || st.ppid != os.Getpid() || st.state != "Z" {
			continue
		}
		if len(nsPIDs(t, pid)) > 1 {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// path returns a path below the bundle.
func (c *container) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// rootfs returns a path below the container's root file system, as seen on the host.
func (c *container) rootfs(elem ...string) string {
	return c.path(append([]string{"rootfs"}, elem...)...)
}

// args sets the container's command line.
func (c *container) args(args ...string) *container {
	c.spec.Process.Args = args
	return c
}

// sh makes the container run a shell script.
func (c *container) sh(script string) *container { return c.args("/bin/sh", "-c", script) }

// write writes config.json.
func (c *container) write() {
	c.t.Helper()
	if err := bundle.Write(c.dir, suite.users.spec(c)); err != nil {
		c.t.Fatal(err)
	}
	suite.users.mapOwners(c)
}

// mount adds a mount to the config.
func (c *container) mount(dest, typ, source string, options ...string) *container {
	c.spec.Mounts = append(c.spec.Mounts, specs.Mount{Destination: dest, Type: typ, Source: source, Options: options})
	return c
}

// without removes the namespaces of the given types from the config.
func (c *container) without(types ...specs.LinuxNamespaceType) *container {
	var keep []specs.LinuxNamespace
	for _, ns := range c.spec.Linux.Namespaces {
		drop := false
		for _, typ := range types {
			drop = drop || ns.Type == typ
		}
		if !drop {
			keep = append(keep, ns)
		}
	}
	c.spec.Linux.Namespaces = keep
	return c
}

// namespace adds a namespace in place of any other of its type.
func (c *container) namespace(typ specs.LinuxNamespaceType, path string) *container {
	c.without(typ)
	c.spec.Linux.Namespaces = append(c.spec.Linux.Namespaces, specs.LinuxNamespace{Type: typ, Path: path})
	return c
}

// result is the result of a command.
type result struct {
	t           *testing.T
	what        string
	status      int
	out, stderr string
}

// command runs the runtime with the container's root. Its streams are files, so that a container
// that continues to run does not keep a pipe open.
func (c *container) command(args ...string) *result {
	c.t.Helper()
	return c.commandWithStdin(nil, args...)
}

// commandWithStdin is command with a file as stdin.
func (c *container) commandWithStdin(stdin *os.File, args ...string) *result {
	c.t.Helper()
	r, err := c.finish(c.launch(stdin, args...))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// running is a command of the runtime that has not been waited for yet.
type running struct {
	cmd         *exec.Cmd
	out, stderr *os.File
	cancel      context.CancelFunc
	err         error
	// hung describes the processes of a command that was killed because it did not end.
	hung string
}

// launch starts a command of the runtime.
func (c *container) launch(stdin *os.File, args ...string) *running {
	c.t.Helper()
	return c.exec(stdin, suite.runtime, append(c.globals(), args...)...)
}

// globals returns the options before a command.
func (c *container) globals() []string {
	var args []string
	if c.state != "" {
		args = append(args, "--root", c.state)
	}
	if suite.systemd && strings.Count(c.spec.Linux.CgroupsPath, ":") == 2 {
		args = append(args, "--systemd-cgroup")
	}
	return append(args, c.global...)
}

// exec starts a program in the bundle.
func (c *container) exec(stdin *os.File, name string, args ...string) *running {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	cmd := exec.CommandContext(ctx, name, args...)
	r := &running{cmd: cmd, cancel: cancel}
	c.t.Cleanup(func() { _ = r.out.Close(); _ = r.stderr.Close() })
	r.out, r.err = os.CreateTemp(c.dir, "stdout.")
	if r.err == nil {
		r.stderr, r.err = os.CreateTemp(c.dir, "stderr.")
	}
	if r.err != nil {
		return r
	}
	cmd.Dir, cmd.ExtraFiles, cmd.Env = c.dir, c.files, c.env
	cmd.Stdout, cmd.Stderr = r.out, r.stderr
	if c.credential != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.credential}
	}
	suite.users.command(cmd)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Cancel = func() error {
		r.hung = describeHung(cmd.Process.Pid, c.dir)
		return cmd.Process.Kill()
	}
	r.err = cmd.Start()
	return r
}

// finish waits for a command.
func (c *container) finish(r *running) (*result, error) {
	defer r.cancel()
	if r.err != nil {
		return nil, r.err
	}
	err := r.cmd.Wait()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return nil, err
	}
	what := strings.Join(r.cmd.Args[1:], " ")
	if r.hung != "" {
		c.t.Logf("%s: killed, as it had not ended after %v:\n%s", what, suite.limit, r.hung)
	}
	out, err := os.ReadFile(r.out.Name())
	if err != nil {
		return nil, err
	}
	stderr, err := os.ReadFile(r.stderr.Name())
	status := r.cmd.ProcessState.ExitCode()
	if ws, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		status = -int(ws.Signal())
	}
	return &result{c.t, what, status, string(out), string(stderr)}, err
}

// code checks the exit status.
func (r *result) code(want int) *result {
	r.t.Helper()
	if r.status != want {
		r.t.Errorf("%s: status %d, want %d; stdout %q, stderr %q", r.what, r.status, want, shorten(r.out), shorten(r.stderr))
	}
	return r
}

// shorten cuts off a long text, such as a help text.
func shorten(s string) string {
	const most = 600
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// must is code(0), but ends the test if the status is another one.
func (r *result) must() *result {
	r.t.Helper()
	if r.code(0).status != 0 {
		r.t.FailNow()
	}
	return r
}

// silent checks that nothing was printed.
func (r *result) silent() *result {
	r.t.Helper()
	if r.out+r.stderr != "" {
		r.t.Errorf("%s: printed %q and %q, want nothing", r.what, r.out, r.stderr)
	}
	return r
}

// fails checks that the status is not 0, and that stderr contains a text: the first one for
// runtimes that use runc's words, the second one for crun. "" accepts any text.
func (r *result) fails(text, crunText string) *result {
	r.t.Helper()
	if suite.name == "crun" {
		text = crunText
	}
	// The text format of the log has quoted messages.
	stderr := strings.ReplaceAll(r.stderr, `\"`, `"`)
	switch {
	case r.status == 0:
		r.t.Errorf("%s: succeeded, want an error", r.what)
	case !strings.Contains(stderr, text):
		r.t.Errorf("%s: stderr %q has no %q", r.what, r.stderr, text)
	case strings.TrimSpace(r.stderr) == "":
		r.t.Errorf("%s: no error text", r.what)
	}
	return r
}

// run runs the container in the foreground and returns its output.
func (c *container) run(options ...string) *result {
	c.t.Helper()
	c.write()
	return c.command(append(append([]string{"run"}, options...), c.id)...)
}

// output runs the container and returns what it prints, without the last newline.
func (c *container) output() string {
	c.t.Helper()
	return strings.TrimSuffix(c.run().must().out, "\n")
}

// create creates the container, which must succeed.
func (c *container) create(options ...string) *container {
	c.t.Helper()
	c.tryCreate(options...).must()
	c.pid = c.readPID()
	return c
}

// tryCreate creates the container, which may fail.
func (c *container) tryCreate(options ...string) *result {
	c.t.Helper()
	c.write()
	return c.command(append(append([]string{"create", "--pid-file", c.path("pid")}, options...), c.id)...)
}

func (c *container) readPID() int {
	c.t.Helper()
	data, err := os.ReadFile(c.path("pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil {
		c.t.Fatalf("pid file: %v", err)
	}
	return pid
}

// start starts the container, which must succeed.
func (c *container) start() *container {
	c.t.Helper()
	c.command("start", c.id).must().silent()
	return c
}

// stateJSON returns the container's state.
func (c *container) stateJSON() specs.State {
	c.t.Helper()
	r := c.command("state", c.id).must()
	var s specs.State
	if err := json.NewDecoder(bytes.NewBufferString(r.out)).Decode(&s); err != nil {
		c.t.Fatalf("state: %v: %q", err, r.out)
	}
	if r.stderr != "" {
		c.t.Errorf("state: stderr %q", r.stderr)
	}
	return s
}

// status checks the status in the state.
func (c *container) status(want specs.ContainerState) {
	c.t.Helper()
	if got := c.stateJSON().Status; got != want {
		c.t.Errorf("status %q, want %q", got, want)
	}
}

// wait waits for the container's first process to end, reaps it, and returns its wait status.
func (c *container) wait() unix.WaitStatus {
	c.t.Helper()
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		c.t.Fatalf("pidfd of %d: %v", c.pid, err)
	}
	defer unix.Close(fd)
	if err := pollIn(fd); err != nil {
		c.t.Fatalf("process %d: %v", c.pid, err)
	}
	var ws unix.WaitStatus
	if pid, err := unix.Wait4(c.pid, &ws, unix.WNOHANG, nil); err != nil || pid != c.pid {
		c.t.Fatalf("wait for %d: %d, %v", c.pid, pid, err)
	}
	return ws
}

// pollIn waits until fd is readable.
func pollIn(fd int) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, int(suite.limit.Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return errors.New("timeout")
		default:
			return nil
		}
	}
}

// shell runs a command through a shell script, which gets it as "$@".
func (c *container) shell(script string, command ...string) *result {
	c.t.Helper()
	r, err := c.finish(c.exec(nil, "/bin/sh", append([]string{"-c", script, "sh"}, command...)...))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}
