// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// withListenFDs makes the runtime inherit two sockets of socket activation, and one more descriptor
// after them.
func (c *container) withListenFDs() *container {
	c.t.Helper()
	for _, name := range []string{"one.sock", "two.sock"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.path(name), Net: "unix"})
		if err != nil {
			c.t.Fatal(err)
		}
		f, err := l.File()
		if err != nil {
			c.t.Fatal(err)
		}
		_ = l.Close()
		c.t.Cleanup(func() { f.Close() })
		c.files = append(c.files, f)
	}
	f, err := os.Open("/dev/zero")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { f.Close() })
	c.files = append(c.files, f)
	c.env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=one:two")
	return c
}

// runWithListenFDs runs a command of the runtime as the process for which LISTEN_PID is.
func (c *container) runWithListenFDs(args ...string) *result {
	c.t.Helper()
	return c.shell(`LISTEN_PID=$$ exec "$@"`, append([]string{suite.runtime, "--root", c.state}, args...)...).must()
}

// showListen prints the variables of socket activation and the kinds of files.
const showListen = `echo $LISTEN_FDS $$ $LISTEN_PID
	for fd in 3 4 5 6; do if [ -S /proc/self/fd/$fd ]; then echo socket; else readlink /proc/self/fd/$fd || echo none; fi; done`

func TestListenFDs(t *testing.T) {
	for _, c := range []struct{ name, preserve, fifth string }{{"alone", "0", "none"}, {"and others", "1", "/dev/zero"}} {
		t.Run(c.name, func(t *testing.T) {
			box := newContainer(t).withListenFDs().sh(showListen)
			box.write()
			got := squeeze(box.runWithListenFDs("run", "--preserve-fds", c.preserve, box.id).out)
			want(t, "sockets", got, "2 1 1 socket socket "+c.fifth+" none")
		})
	}
}

// TestListenFDsReplace: the variables in the config are about other sockets and are replaced.
func TestListenFDsReplace(t *testing.T) {
	c := newContainer(t).withListenFDs().sh("env | grep LISTEN_ | sort")
	c.spec.Process.Env = append(c.spec.Process.Env, "LISTEN_FDS=7", "LISTEN_PID=8", "LISTEN_FDNAMES=a:b:c:d:e:f:g")
	c.write()
	want(t, "variables", squeeze(c.runWithListenFDs("run", c.id).out), "LISTEN_FDNAMES=one:two LISTEN_FDS=2 LISTEN_PID=1")
}

func TestListenFDsOfCreate(t *testing.T) {
	c := newContainer(t).withListenFDs()
	out := c.fifo("out")
	c.sh("{ " + showListen + "; } | tr '\n' ' ' >/out; echo >/out").write()
	c.runWithListenFDs("create", "--pid-file", c.path("pid"), c.id)
	c.pid = c.readPID()
	c.files, c.env = nil, nil
	c.start()
	want(t, "sockets", strings.TrimSpace(out.line()), "2 1 1 socket socket none none")
	c.wait()
}

// TestListenFDsOfHostPID: without a pid namespace, LISTEN_PID is not 1.
func TestListenFDsOfHostPID(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace).withListenFDs().sh("[ $$ != 1 ] && [ $$ = $LISTEN_PID ] && echo same")
	c.write()
	want(t, "pid", c.runWithListenFDs("run", c.id).out, "same\n")
}

// TestListenFDsOfExec: the sockets are passed to the process that exec adds, whose pid is not 1.
func TestListenFDsOfExec(t *testing.T) {
	c := newContainer(t).running().withListenFDs()
	f := strings.Fields(c.runWithListenFDs("exec", "--preserve-fds", "1", c.id, "sh", "-c", showListen).out)
	if len(f) != 7 || f[1] == "1" || f[1] != f[2] {
		t.Fatalf("printed %q, want the same pid twice, not 1", f)
	}
	want(t, "sockets", strings.Join(append(f[:1:1], f[3:]...), " "), "2 socket socket /dev/zero none")
	// The next process does not get them.
	c.files, c.env = nil, nil
	want(t, "without", c.execOut(c.id, "sh", "-c", "echo $LISTEN_FDS $LISTEN_PID"), "")
}

// TestListenFDsOfOthers: sockets for another process are ignored. They may not even be open.
func TestListenFDsOfOthers(t *testing.T) {
	c := newContainer(t).sh("echo $LISTEN_FDS; ls /proc/self/fd")
	c.env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_PID=1")
	want(t, "sockets", squeeze(c.run().must().out), "0 1 2 3")
}

// TestListenFDsWithoutPID: without LISTEN_PID, berth passes them on, like crun and unlike runc:
// the caller may not know berth's pid in advance.
func TestListenFDsWithoutPID(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).withListenFDs().sh(showListen + "; echo $LISTEN_FDNAMES")
	c.write()
	want(t, "sockets", squeeze(c.command("run", "--preserve-fds", "1", c.id).must().out), "2 1 1 socket socket /dev/zero none one:two")
	c.env = append(os.Environ(), "LISTEN_FDS=9")
	c.command("run", c.id).fails("environment: LISTEN_FDS=9: fd 6 is not open", "")
	c.env = append(os.Environ(), "LISTEN_FDS=2")
	c.command("run", "--preserve-fds", "9", c.id).fails("preserve-fds: fd 6 is not open: unable to stat preserved-fd 6 (of 11)", "")
}

func TestBadListenFDs(t *testing.T) {
	c := newContainer(t)
	c.write()
	for _, value := range []string{"x", "-1", "1.5"} {
		c.env = append(os.Environ(), "LISTEN_FDS="+value)
		for _, args := range [][]string{{"create", c.id}, {"run", c.id}} {
			c.command(args...).fails("is not a number of file descriptors", "")
		}
	}
	c.env = append(os.Environ(), "LISTEN_FDS=4")
	c.command("create", c.id).fails("fd 3 is not open", "")
}
