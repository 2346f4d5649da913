// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestExecTerminal(t *testing.T) {
	c := newContainer(t).running()
	c.talk("exec", "-t", c.id, "sh", "-c", talker)
}

func TestExecResize(t *testing.T) {
	c := newContainer(t).running()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "exec", "--tty", c.id, "sh", "-c",
		"trap 'stty size' WINCH; echo ready; while :; do sleep 10000 & wait $!; kill $! 2>/dev/null; done")
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

// TestExecConsoleSocket does what engines do: it uses a process document with a terminal,
// detached.
func TestExecConsoleSocket(t *testing.T) {
	for name, userns := range map[string]bool{"host's users": false, "user namespace": true} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			if userns {
				c.userNamespace()
			}
			c.running()
			path := c.process(&specs.Process{
				Terminal: true, ConsoleSize: &specs.Box{Height: 33, Width: 111},
				Args: []string{"sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; stat -c %u $(tty); echo x >/dev/tty"},
				Cwd:  "/", User: specs.User{UID: 1000, GID: 1000}, Env: []string{"PATH=/bin:/usr/bin"},
			})
			r := c.receiver("s")
			cmd := c.launch(nil, "exec", "--process", path, "--console-socket", r.path, "--detach", "--pid-file", c.path("exec.pid"), c.id)
			master, _ := r.receive()
			res, err := c.finish(cmd)
			if err != nil {
				t.Fatal(err)
			}
			res.must().silent()
			want(t, "output", squeeze(readAll(t, master)), "/dev/pts/0 all 33 111 1000 x")
			reapExec(c)
		})
	}
}

// reapExec reaps the process of the pid file that a detached exec has written.
func reapExec(c *container) {
	c.t.Helper()
	var pid int
	if _, err := fmt.Sscan(readFile(c.t, c.path("exec.pid")), &pid); err != nil {
		c.t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		c.t.Errorf("wait for %d: %v", pid, err)
	}
}

func TestExecPIDFDSocket(t *testing.T) {
	c := newContainer(t).running()
	r := c.receiver("s")
	cmd := c.launch(nil, "exec", "-d", "--pid-file", c.path("exec.pid"), "--pidfd-socket", r.path, c.id, "sleep", "1000")
	pidfd, _ := r.receive()
	res, err := c.finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	res.must().silent()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	if pid := readFile(t, c.path("exec.pid")); err != nil || !strings.Contains(string(info), "Pid:\t"+pid+"\n") {
		t.Errorf("fdinfo %q, %v; want pid %s", info, err, pid)
	}
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	reapExec(c)
}

// TestExecFakeDevpts: the container controls what is at /dev/pts. It must not make the runtime
// open a file that the container itself could not open.
func TestExecFakeDevpts(t *testing.T) {
	c := newContainer(t)
	for i := range c.spec.Mounts {
		if c.spec.Mounts[i].Destination == "/dev/pts" {
			c.spec.Mounts[i] = specs.Mount{Destination: "/dev/pts", Type: "tmpfs", Source: "tmpfs"}
		}
	}
	c.running()
	c.execOut(c.id, "sh", "-c", "rm -f /dev/pts/ptmx; ln -s /proc/1/fd/0 /dev/pts/ptmx")
	r := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "exec", "-t", c.id, "true")
	if status := r.end(); status == 0 {
		t.Errorf("status %d, %q", status, r.seen.String())
	}
}
