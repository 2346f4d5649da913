// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fdReceiver is a unix socket that waits for one descriptor, like an engine's.
type fdReceiver struct {
	c        *container
	path     string
	listener *net.UnixListener
}

// receiver listens on a socket. Its path is short, because a socket address is limited to 108
// bytes.
func (c *container) receiver(name string) *fdReceiver {
	c.t.Helper()
	path := c.path(name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { l.Close() })
	suite.users.chownToCaller(c.t, path)
	return &fdReceiver{c, path, l}
}

// receive accepts one connection. It returns the descriptor and the message.
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

// terminal gives the container's process a terminal.
func (c *container) terminal() *container {
	c.spec.Process.Terminal = true
	return c
}

// readAll reads a pty master until its other side is closed, when read fails with EIO.
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
		t.Errorf("the terminal shows %q, want %q", out, w)
	}
	// It may be a device or a symbolic link to one.
	if len(out) == 6 && out[5] != "c" && out[5] != "l" {
		t.Errorf("/dev/console is a %q", out[5])
	}
}

// readUntil reads from a terminal until text appears.
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

// TestConsoleIsControlling: the shell has job control, and signals of the terminal reach it.
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
	// Send the interrupt only after the line was read: it makes the terminal discard its input
	// queue.
	seen.WriteString(readUntil(t, master, "got line"))
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	seen.WriteString(readAll(t, master))
	if ws := c.wait(); !ws.Exited() || ws.ExitStatus() != 7 {
		t.Errorf("wait status %#x, output %q", ws, seen.String())
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
			c.checkNothingLeft()
		}
	})
	t.Run("missing", func(t *testing.T) {
		c := newContainer(t).terminal()
		c.write()
		c.command("create", "--console-socket", c.path("nowhere"), c.id).fails("no such file or directory", "o such file")
		c.checkNothingLeft()
	})
	t.Run("no socket for a detached terminal", func(t *testing.T) {
		c := newContainer(t).terminal()
		c.write()
		c.command("create", c.id).fails("will detach without setting console socket", "")
		c.command("run", "--detach", c.id).fails("will detach without setting console socket", "")
		c.checkNothingLeft()
	})
	t.Run("socket without a terminal", func(t *testing.T) {
		c := newContainer(t)
		r := c.receiver("s")
		c.write()
		c.command("create", "--console-socket", r.path, c.id).fails("will not detach or allocate tty", "")
		c.checkNothingLeft()
	})
}
