// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fdReceiver is a unix socket that waits for one fd, as engines do.
type fdReceiver struct {
	c        *container
	path     string
	listener *net.UnixListener
}

// receiver listens on a socket. The path is short: there is a limit of 108 bytes.
func (c *container) receiver(name string) *fdReceiver {
	c.t.Helper()
	path := c.path(name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { l.Close() })
	suite.users.give(c.t, path)
	return &fdReceiver{c, path, l}
}

// receive takes one connection, and one fd with its message.
func (r *fdReceiver) receive() (*os.File, string) {
	r.c.t.Helper()
	if err := r.listener.SetDeadline(time.Now().Add(suite.limit)); err != nil {
		r.c.t.Fatal(err)
	}
	conn, err := r.listener.AcceptUnix()
	if err != nil {
		r.c.t.Fatalf("accept: %v", err)
	}
	defer conn.Close()
	msg, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*8))
	n, oobn, _, _, err := conn.ReadMsgUnix(msg, oob)
	if err != nil {
		r.c.t.Fatalf("receive: %v", err)
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(cmsgs) != 1 {
		r.c.t.Fatalf("control messages %v, %v", cmsgs, err)
	}
	fds, err := unix.ParseUnixRights(&cmsgs[0])
	if err != nil || len(fds) != 1 {
		r.c.t.Fatalf("fds %v, %v; want one", fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), string(msg[:n]))
	r.c.t.Cleanup(func() { f.Close() })
	return f, string(msg[:n])
}

// terminal makes the container's process have a terminal.
func (c *container) terminal() *container {
	c.spec.Process.Terminal = true
	return c
}

// readAll reads a pty master until the other side is gone, which reads as EIO.
func readAll(t *testing.T, master *os.File) string {
	t.Helper()
	var all bytes.Buffer
	buf := make([]byte, 4096)
	for {
		if err := pollIn(int(master.Fd())); err != nil {
			t.Fatalf("terminal: %v after %q", err, all.String())
		}
		n, err := unix.Read(int(master.Fd()), buf)
		if n > 0 {
			all.Write(buf[:n])
		}
		if err != nil || n <= 0 {
			return all.String()
		}
	}
}

func TestConsoleSocket(t *testing.T) {
	c := newContainer(t).terminal().sh("tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; readlink /proc/self/fd/0; ls -l /dev/console | cut -c1")
	c.spec.Process.ConsoleSize = &specs.Box{Height: 33, Width: 111}
	r := c.receiver("s")
	c.write()
	create := c.launch(nil, "create", "--pid-file", c.path("pid"), "--console-socket", r.path, c.id)
	master, _ := r.receive()
	if res, err := c.finish(create); err != nil {
		t.Fatal(err)
	} else {
		res.must().silent()
	}
	c.pid = c.readPID()
	c.start()
	out := strings.Fields(readAll(t, master))
	c.wait()
	if w := []string{"/dev/pts/0", "all", "33", "111", "/dev/pts/0"}; len(out) != 6 || strings.Join(out[:5], " ") != strings.Join(w, " ") {
		t.Errorf("the terminal said %q, want %q", out, w)
	}
	// A device, or a link to it.
	if len(out) == 6 && out[5] != "c" && out[5] != "l" {
		t.Errorf("/dev/console is a %q", out[5])
	}
}

// readUntil reads from a terminal up to what ends with text, or has it in it.
func readUntil(t *testing.T, master *os.File, text string) string {
	t.Helper()
	var seen strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(seen.String(), text) {
		if err := pollIn(int(master.Fd())); err != nil {
			t.Fatalf("waiting for %q after %q: %v", text, seen.String(), err)
		}
		n, err := unix.Read(int(master.Fd()), buf)
		if err != nil {
			t.Fatalf("waiting for %q after %q: %v", text, seen.String(), err)
		}
		seen.Write(buf[:n])
	}
	return seen.String()
}

// TestConsoleIsControlling: the shell has job control, and the terminal's signals
// reach it.
func TestConsoleIsControlling(t *testing.T) {
	c := newContainer(t).terminal().sh("trap 'echo interrupted; exit 7' INT; echo ready; read x </dev/tty; echo got $x; while :; do sleep 10000 & wait $!; done")
	r := c.receiver("s")
	c.write()
	run := c.launch(nil, "run", "--detach", "--pid-file", c.path("pid"), "--console-socket", r.path, c.id)
	master, _ := r.receive()
	if res, err := c.finish(run); err != nil {
		t.Fatal(err)
	} else {
		res.must().silent()
	}
	c.pid = c.readPID()
	var seen strings.Builder
	seen.WriteString(readUntil(t, master, "ready"))
	if _, err := master.WriteString("line\n"); err != nil {
		t.Fatal(err)
	}
	// Only when the line has been read: a terminal throws away what is still in its
	// queue when an interrupt comes.
	seen.WriteString(readUntil(t, master, "got line"))
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	seen.WriteString(readAll(t, master))
	if ws := c.wait(); !ws.Exited() || ws.ExitStatus() != 7 {
		t.Errorf("wait status %#x, said %q", ws, seen.String())
	}
}

func TestConsoleSocketErrors(t *testing.T) {
	t.Run("closed early", func(t *testing.T) {
		c := newContainer(t).terminal()
		r := c.receiver("s")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if conn, err := r.listener.AcceptUnix(); err == nil {
				conn.Close()
			}
		}()
		c.write()
		res := c.command("create", "--console-socket", r.path, c.id)
		<-done
		if res.status != 0 {
			c.nothingLeft()
		}
	})
	t.Run("missing", func(t *testing.T) {
		c := newContainer(t).terminal()
		c.write()
		c.command("create", "--console-socket", c.path("nowhere"), c.id).fails("no such file or directory", "o such file")
		c.nothingLeft()
	})
	t.Run("no socket for a detached terminal", func(t *testing.T) {
		c := newContainer(t).terminal()
		c.write()
		c.command("create", c.id).fails("cannot allocate tty if runc will detach without setting console socket", "")
		c.command("run", "--detach", c.id).fails("cannot allocate tty if runc will detach without setting console socket", "")
		c.nothingLeft()
	})
	t.Run("socket without a terminal", func(t *testing.T) {
		c := newContainer(t)
		r := c.receiver("s")
		c.write()
		c.command("create", "--console-socket", r.path, c.id).fails("cannot use console socket if runc will not detach or allocate tty", "")
		c.nothingLeft()
	})
}

// ptyCommand runs the runtime with a terminal of its own, as a shell would.
type ptyCommand struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	seen   strings.Builder
}

func (c *container) onTerminal(size unix.Winsize, args ...string) *ptyCommand {
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
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		c.t.Fatal(err)
	}
	peer, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer peer.Close()
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

// until reads the terminal until it shows text.
func (p *ptyCommand) until(text string) {
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

// end reads the rest and tells the exit status.
func (p *ptyCommand) end() int {
	p.t.Helper()
	p.seen.WriteString(readAll(p.t, p.master))
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestForegroundTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh("tty; stty size; read line; echo \"<$line>\"; exit 5")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 21, Col: 77}, "run", c.id)
	p.until("21 77")
	if _, err := p.master.WriteString("typed in\n"); err != nil {
		t.Fatal(err)
	}
	if status := p.end(); status != 5 {
		t.Errorf("status %d, want 5; %q", status, p.seen.String())
	}
	for _, w := range []string{"/dev/pts/0", "<typed in>"} {
		if !strings.Contains(p.seen.String(), w) {
			t.Errorf("no %q in %q", w, p.seen.String())
		}
	}
}

// TestForegroundRestoresTerminal: raw while the container runs, as it was after.
func TestForegroundRestoresTerminal(t *testing.T) {
	c := newContainer(t).terminal().sh("echo ready; read x")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "run", c.id)
	before, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if before.Lflag&unix.ICANON == 0 {
		before.Lflag |= unix.ICANON | unix.ECHO // the runtime has been faster
	}
	p.until("ready")
	raw, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if raw.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Errorf("the terminal is not raw: %#x", raw.Lflag)
	}
	// Open the other side, so that the settings outlive the runtime.
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

// TestForegroundResize: a new size of the outer terminal reaches the inner one.
func TestForegroundResize(t *testing.T) {
	c := newContainer(t).terminal().sh("trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "run", c.id)
	p.until("ready")
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 99}); err != nil {
		t.Fatal(err)
	}
	p.until("44 99")
	c.command("kill", c.id, "KILL").must()
	if status := p.end(); status != 128+9 {
		t.Errorf("status %d, want 137", status)
	}
}

// TestForegroundSignals: what run gets, the container gets.
func TestForegroundSignals(t *testing.T) {
	c := newContainer(t)
	out := c.fifo("out")
	// 11 is SIGSEGV, which a runtime in Go has a use for itself, and 45 is real-time. The
	// shell does not `wait`, which misses a signal that comes just before it.
	c.sh("for s in TERM HUP USR1 INT PIPE CONT 11 45; do trap \"echo $s >/out\" $s; done; trap 'exit 9' QUIT; echo up >/out; while :; do sleep 0.02; done")
	c.write()
	r := c.launch(nil, "run", c.id)
	out.line()
	for name, sig := range map[string]syscall.Signal{
		"TERM": unix.SIGTERM, "HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "INT": unix.SIGINT,
		"PIPE": unix.SIGPIPE, "CONT": unix.SIGCONT, "11": unix.SIGSEGV, "45": syscall.Signal(45),
	} {
		if err := r.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		want(t, "signal", out.line(), name)
	}
	if err := r.cmd.Process.Signal(unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(9)
}

// TestForegroundReaderGone: the runtime looks after the program for as long as that runs,
// whether anybody reads what it prints or not.
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
		t.Error("the container was left alone")
	}
}

func TestPreserveFDs(t *testing.T) {
	c := newContainer(t).sh("cat <&3; cat <&4; ls /proc/self/fd")
	for i, text := range []string{"third\n", "fourth\n", "fifth\n"} {
		path := filepath.Join(c.dir, fmt.Sprintf("fd%d", i))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.files = append(c.files, f)
	}
	r := c.run("--preserve-fds", "2").must()
	out := strings.Fields(r.out)
	// ls has one of its own, the directory.
	if strings.Join(out, " ") != "third fourth 0 1 2 3 4 5" {
		t.Errorf("output %q", out)
	}
}

func TestPreserveFDsMissing(t *testing.T) {
	c := newContainer(t)
	c.write()
	c.command("create", "--preserve-fds", "3", c.id).fails("", "")
	c.nothingLeft()
}

// TestNoFDLeaks: the process has its three standard streams and nothing else.
func TestNoFDLeaks(t *testing.T) {
	for _, command := range []string{"run", "create"} {
		t.Run(command, func(t *testing.T) {
			c := newContainer(t)
			// What the runtime gets and is not told to hand on, stays outside.
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c.files = []*os.File{f, f, f}
			c.args("ls", "-l", "/proc/self/fd")
			c.write()
			var list *running
			if command == "run" {
				list = c.launch(nil, "run", c.id)
			} else {
				list = c.launch(nil, "create", "--pid-file", c.path("pid"), c.id)
			}
			if _, err := c.finish(list); err != nil {
				t.Fatal(err)
			}
			if command == "create" {
				c.pid = c.readPID()
				c.start().wait()
			}
			data, err := os.ReadFile(list.out.Name())
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			for _, line := range lines {
				before, target, isLink := strings.Cut(line, " -> ")
				// ls itself has the directory open.
				if !isLink || strings.HasSuffix(target, "/fd") {
					continue
				}
				if n := before[strings.LastIndexByte(before, ' ')+1:]; n != "0" && n != "1" && n != "2" {
					t.Errorf("fd %s is %s in the container", n, target)
				}
			}
			if len(lines) < 4 {
				t.Errorf("list %q", lines)
			}
		})
	}
}

func TestPIDFDSocket(t *testing.T) {
	c := newContainer(t)
	r := c.receiver("s")
	c.long()
	c.write()
	create := c.launch(nil, "create", "--pid-file", c.path("pid"), "--pidfd-socket", r.path, c.id)
	pidfd, _ := r.receive()
	res, err := c.finish(create)
	if err != nil {
		t.Fatal(err)
	}
	res.must()
	c.pid = c.readPID()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	if err != nil || !strings.Contains(string(info), fmt.Sprintf("Pid:\t%d\n", c.pid)) {
		t.Errorf("fdinfo %q, %v; want pid %d", info, err, c.pid)
	}
	c.start()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	if c.wait().Signal() != 9 {
		t.Error("not killed")
	}
}

// TestDetachedStdio: a detached container has the caller's files as they are.
func TestDetachedStdio(t *testing.T) {
	c := newContainer(t).sh("readlink /proc/self/fd/1; echo to stderr >&2")
	c.write()
	r := c.launch(nil, "run", "--detach", "--pid-file", c.path("pid"), c.id)
	name := r.out.Name()
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
	c.pid = c.readPID()
	c.wait()
	data, err := os.ReadFile(name)
	if err != nil || strings.TrimSpace(string(data)) == "" {
		t.Errorf("stdout %q, %v", data, err)
	}
	errs, err := os.ReadFile(r.stderr.Name())
	if err != nil || string(errs) != "to stderr\n" {
		t.Errorf("stderr %q, %v", errs, err)
	}
}
