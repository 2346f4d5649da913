// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ptyCommand runs the runtime with a terminal of its own, as a shell would.
type ptyCommand struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	seen   strings.Builder
}

// openPTY makes a terminal. The caller closes peer. master is closed when the test ends.
func (c *container) openPTY() (master, peer *os.File) {
	c.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		c.t.Fatal(err)
	}
	peer, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	return master, peer
}

// fromTerminal runs a command with a terminal as stdin only.
func (c *container) fromTerminal(args ...string) *result {
	c.t.Helper()
	_, peer := c.openPTY()
	defer peer.Close()
	return c.mustFinish(c.launch(peer, args...))
}

func (c *container) onTerminal(size unix.Winsize, args ...string) *ptyCommand {
	c.t.Helper()
	master, peer := c.openPTY()
	defer peer.Close()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, suite.runtime, append([]string{"--root", c.state}, args...)...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, peer, peer, peer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	suite.users.command(cmd)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return &ptyCommand{t: c.t, master: master, cmd: cmd}
}

// readUntil reads the terminal until text appears.
func (p *ptyCommand) readUntil(text string) {
	p.t.Helper()
	buf := make([]byte, 4096)
	for !strings.Contains(p.seen.String(), text) {
		if err := pollIn(int(p.master.Fd())); err != nil {
			p.t.Fatalf("%v, waiting for %q in %q", err, text, p.seen.String())
		}
		n, err := unix.Read(int(p.master.Fd()), buf)
		if err != nil {
			p.t.Fatalf("%v, waiting for %q in %q", err, text, p.seen.String())
		}
		p.seen.Write(buf[:n])
	}
}

// end reads the rest and returns the exit status.
func (p *ptyCommand) end() int {
	p.t.Helper()
	p.seen.WriteString(readAll(p.t, p.master))
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// talker is the program for talk.
const talker = `tty; stty size; read line; echo "<$line>"; exit 5`

// talk runs a command of the runtime in a terminal, whose container runs talker in a terminal of
// its own.
func (c *container) talk(args ...string) {
	c.t.Helper()
	p := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, args...)
	p.readUntil("21 77")
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		c.t.Fatal(err)
	}
	if status := p.end(); status != 5 {
		c.t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
	for _, w := range []string{"/dev/pts/0", "<typed in>"} {
		if !strings.Contains(p.seen.String(), w) {
			c.t.Errorf("no %q in %q", w, p.seen.String())
		}
	}
}

func TestForegroundTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh(talker)
	c.write()
	c.talk("run", c.id)
}

// TestForegroundLines: lines end with a newline only, unless stdout is a terminal.
func TestForegroundLines(t *testing.T) {
	const script = "echo one; echo two >&2"
	t.Run("run", func(t *testing.T) {
		c := newContainer(t).terminal().sh(script)
		c.write()
		want(t, "output", c.fromTerminal("run", c.id).must().out, "one\ntwo\n")
	})
	t.Run("exec", func(t *testing.T) {
		c := newContainer(t).running()
		want(t, "output", c.fromTerminal("exec", "--tty", c.id, "/bin/sh", "-c", script).must().out, "one\ntwo\n")
	})
	t.Run("terminal", func(t *testing.T) {
		c := newContainer(t).terminal().sh(script)
		c.write()
		p := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
		p.end()
		if !strings.Contains(p.seen.String(), "one\r\ntwo\r\n") {
			t.Errorf("%q", p.seen.String())
		}
	})
}

// TestForegroundRestoresTerminal: the terminal is in raw mode while the container runs, and then
// as before.
func TestForegroundRestoresTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh("echo ready; read x")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "run", c.id)
	before, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if before.Lflag&unix.ICANON == 0 {
		before.Lflag |= unix.ICANON | unix.ECHO // the runtime may have made it raw already
	}
	p.readUntil("ready")
	raw, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if raw.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Errorf("the terminal is not raw: %#x", raw.Lflag)
	}
	// Open the other side, so that the settings persist after the runtime has ended.
	n, err := unix.IoctlGetInt(int(p.master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := p.master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
	after, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if after.Lflag&(unix.ICANON|unix.ECHO) != unix.ICANON|unix.ECHO {
		t.Errorf("the terminal is left raw: %#x", after.Lflag)
	}
}

// TestForegroundResize: a new size of the caller's terminal is set in the container's.
func TestForegroundResize(t *testing.T) {
	c := newContainer(t).terminal().sh("trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "run", c.id)
	p.readUntil("ready")
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 99}); err != nil {
		t.Fatal(err)
	}
	p.readUntil("44 99")
	c.command("kill", c.id, "KILL").must()
	if status := p.end(); status != 128+9 {
		t.Errorf("status %d, want 137", status)
	}
}

// signalPrinter writes "up" and the signals that it receives to /out, and ends at SIGQUIT. 11 is
// SIGSEGV, which the Go run time handles itself, and 45 is a real-time signal. The shell does not
// use `wait`, which would miss a signal that comes just before it.
const signalPrinter = `for s in TERM HUP USR1 INT PIPE CONT 11 45; do trap "echo $s >/out" $s; done
trap 'exit 9' QUIT; echo up >/out; while :; do sleep 0.02; done`

// checkSignals sends signals to a command of the runtime that runs signalPrinter. The program
// must receive them.
func (c *container) checkSignals(out *fifo, args ...string) {
	c.t.Helper()
	r := c.launch(nil, args...)
	want(c.t, "output", out.line(), "up")
	for name, sig := range map[string]syscall.Signal{
		"TERM": unix.SIGTERM, "HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "INT": unix.SIGINT,
		"PIPE": unix.SIGPIPE, "CONT": unix.SIGCONT, "11": unix.SIGSEGV, "45": syscall.Signal(45),
	} {
		if err := r.cmd.Process.Signal(sig); err != nil {
			c.t.Fatal(err)
		}
		want(c.t, "signal", out.line(), name)
	}
	if err := r.cmd.Process.Signal(unix.SIGQUIT); err != nil {
		c.t.Fatal(err)
	}
	res, err := c.finish(r)
	if err != nil {
		c.t.Fatal(err)
	}
	res.code(9)
}

// TestForegroundSignals: run forwards signals to the container.
func TestForegroundSignals(t *testing.T) {
	c := newContainer(t)
	out := c.fifo("out")
	c.sh(signalPrinter)
	c.write()
	c.checkSignals(out, "run", c.id)
}

// TestForegroundReaderGone: the runtime attends to the program until that ends, even if nobody
// reads its output.
func TestForegroundReaderGone(t *testing.T) {
	c := newContainer(t).terminal()
	out := c.fifo("out")
	c.sh("echo ready; read x </out; for i in 1 2 3; do head -c 100000 /dev/zero; done; exit 7")
	c.write()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, suite.runtime, append(c.globals(), "run", c.id)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, w, w
	suite.users.command(cmd)
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	out.send("go on\n")
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	if status := cmd.ProcessState.ExitCode(); status != 7 && status != 1 {
		t.Errorf("%v: want 7, or 1 for the error of writing", cmd.ProcessState)
	}
	if _, err := os.Stat(filepath.Join(c.state, c.id)); err == nil {
		t.Error("the container was not deleted")
	}
}
