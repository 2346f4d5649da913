// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// piped is a command of the runtime with pipes as streams, like an engine's.
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
	p.cmd.WaitDelay = time.Second // for a container that outlives the command and holds the streams
	suite.users.command(p.cmd)
	var out io.Reader
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		out, err = p.cmd.StdoutPipe()
	}
	// Use a pipe for stderr as well: the tests' own may be a file that criu does not find in the
	// container.
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

// say writes a line and checks the answer.
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

// detaches waits for a command whose container continues to use its streams.
func (p *piped) detaches() {
	p.c.t.Helper()
	state, err := p.cmd.Process.Wait()
	if err != nil || !state.Success() {
		p.c.t.Fatalf("%q: %v, %v", p.cmd.Args[1:], state, err)
	}
}

// end closes the input, and returns the exit status.
func (p *piped) end() int {
	p.c.t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.c.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// restoredPiped runs a container that answers on its streams, saves it, and restores it with new
// streams.
func (c *container) restoredPiped() *piped {
	c.t.Helper()
	c.write()
	first := c.piped("run", c.id)
	first.say("one", "got one")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint().must().silent()
	first.end()
	again := c.piped("restore", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	again.say("two", "got two")
	return again
}

// TestRestoreForeground restores with new pipes in place of those that the container had. The
// program reads and writes them, and its exit status is the command's.
func TestRestoreForeground(t *testing.T) {
	c := newContainer(t).sh("while read x; do echo got $x; done; exit 7")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	again := c.restoredPiped()
	want(t, "exec", c.execOut(c.id, "echo", "here"), "here")
	if status := again.end(); status != 7 {
		t.Errorf("status %d, want 7", status)
	}
	c.command("state", c.id).fails("does not exist", "")
	c.checkNothingLeft()
}

// TestRestoreStreamsOpenAgain: the program can open the new pipes again, like the old ones.
func TestRestoreStreamsOpenAgain(t *testing.T) {
	c := newContainer(t).userns().sh("while read x; do echo got $x >/dev/stdout; done")
	needCriu(t)
	c.spec.Process.User.UID = 1000
	c.spec.Process.NoNewPrivileges = false
	c.restoredPiped().end()
}

// TestRestoreExitStatus: the exit status is that of the first process.
func TestRestoreExitStatus(t *testing.T) {
	k := newCounter(t)
	k.sh("n=0; while read x; do [ $x = end ] && exit 7; n=$((n+1)); echo $n >/out; done </in")
	k.runAndCount()
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
	k.checkNothingLeft()
}

// console restores a container with a terminal, and returns the master, which is sent to a
// socket.
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

// TestRestoreTerminal: the container uses the terminal of the caller of restore.
func TestRestoreTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh("echo ready; read x; echo got $x; stty size; exit 5")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.write()
	first := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
	first.readUntil("ready")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint().must().silent()
	first.end()
	p := c.onTerminal(unix.Winsize{Row: 22, Col: 78}, "restore", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		t.Fatal(err)
	}
	p.readUntil("got typed in")
	if status := p.end(); status != 5 || !strings.Contains(p.seen.String(), "22 78") {
		t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
	c.checkNothingLeft()
}

// TestRestoreConsoleFlags: the rules for the console options are those of run.
func TestRestoreConsoleFlags(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint()
	k.tryRestore("--console-socket", k.path("nowhere")).fails("cannot use console socket", "")
	k.terminal()
	k.tryRestore().fails("cannot allocate tty", "")
	k.tryRestore("--console-socket", k.path("nowhere")).fails("no such file or directory", "")
	k.checkNothingLeft()
	// It is only found out later that the images have no terminal.
	r := k.receiver("s")
	k.tryRestore("--console-socket", r.path).fails("", "")
	k.checkNothingLeft()
}

// TestShellJob: the streams are the terminal of a shell, which is not the container's own.
func TestShellJob(t *testing.T) {
	c := newContainer(t).sh("echo ready; read x; echo got $x; exit 5")
	needCriu(t)
	c.spec.Process.NoNewPrivileges = false
	c.write()
	first := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
	first.readUntil("ready")
	c.pid = c.stateJSON().Pid
	c.tryCheckpoint("--shell-job").must().silent()
	first.end()
	p := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "restore", "--shell-job", "--image-path", c.images(), "--work-path", c.logs(), c.id)
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		t.Fatal(err)
	}
	p.readUntil("got typed in")
	if status := p.end(); status != 5 {
		t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
}
