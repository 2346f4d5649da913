// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// notifyHelper makes the test binary a program that sends each of its arguments as a message to
// $NOTIFY_SOCKET. The root file systems of the tests have no such program.
const notifyHelper = "notify-helper"

// sendNotifications is the helper. It succeeds if all messages are received.
func sendNotifications(messages []string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, m := range messages {
		if _, err := conn.Write([]byte(m)); err != nil {
			return err
		}
	}
	return nil
}

// serviceManager listens at the address in NOTIFY_SOCKET.
type serviceManager struct {
	c    *container
	conn *net.UnixConn
}

// newServiceManager listens, and sets NOTIFY_SOCKET for the runtime. An abstract socket has no
// path.
func newServiceManager(c *container, abstract bool) *serviceManager {
	c.t.Helper()
	address := c.path("manager.sock")
	if abstract {
		address = "@" + c.id
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	if !abstract {
		// The runtime may be run by an ordinary user.
		if err := os.Chmod(address, 0o777); err != nil {
			c.t.Fatal(err)
		}
	}
	c.env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	return &serviceManager{c, conn}
}

// message receives a message. Only a barrier has a descriptor. It is closed, which releases the
// sender.
func (m *serviceManager) message() string {
	m.c.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(suite.limit)); err != nil {
		m.c.t.Fatal(err)
	}
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*4))
	n, oobn, _, _, err := m.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		m.c.t.Fatalf("wait for a notification: %v", err)
	}
	fds := 0
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		m.c.t.Fatal(err)
	}
	for i := range messages {
		rights, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			m.c.t.Fatal(err)
		}
		for _, fd := range rights {
			fds++
			_ = unix.Close(fd)
		}
	}
	text := strings.TrimSpace(string(buf[:n]))
	if barrier := text == "BARRIER=1"; barrier != (fds == 1) {
		m.c.t.Errorf("notification %q has %d descriptors", text, fds)
	}
	return text
}

// ready receives the messages that the service is ready and that its main process is mainPID.
func (m *serviceManager) ready(mainPID int) {
	m.c.t.Helper()
	var got []string
	switch suite.name {
	case "runc": // 1.1
		got = []string{m.message(), m.message()}
	case "crun":
		got = []string{m.message(), "MAINPID=" + strconv.Itoa(mainPID)}
		want(m.c.t, "after READY", m.message(), "BARRIER=1")
	default:
		got = []string{m.message()}
		want(m.c.t, "after READY", m.message(), "BARRIER=1")
	}
	want(m.c.t, "notification", strings.Join(got, "\n"), "READY=1\nMAINPID="+strconv.Itoa(mainPID))
}

// silent checks that there is no message.
func (m *serviceManager) silent() {
	m.c.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now()); err != nil {
		m.c.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	if n, _, err := m.conn.ReadFrom(buf); err == nil {
		m.c.t.Errorf("notification %q", buf[:n])
	}
}

// notifies makes the container run a script, with the helper as /helper.
func (c *container) notifies(script string) *container {
	c.t.Helper()
	c.spec.Process.Env = append(c.spec.Process.Env, "NOTIFY_SOCKET=/nowhere")
	return c.helper(notifyHelper).sh(script)
}

// TestNotifyForeground: only the message that the container is ready is forwarded to the manager.
// The container can send others nevertheless.
func TestNotifyForeground(t *testing.T) {
	for name, abstract := range map[string]bool{"path": false, "abstract": true} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			m := newServiceManager(c, abstract)
			in, out := c.fifo("in"), c.fifo("out")
			c.notifies(`/helper STATUS=begins MAINPID=1 && echo begun >/out; read x </in
				/helper "READY=1
STATUS=up
MAINPID=77" && read x </in; /helper STOPPING=1 STATUS=more && exit 7`).write()
			r := c.launch(nil, "run", c.id)
			want(t, "container", out.line(), "begun")
			m.silent()
			in.send("go")
			m.ready(r.cmd.Process.Pid)
			in.send("end")
			res, err := c.finish(r)
			if err != nil {
				t.Fatal(err)
			}
			res.code(7).silent()
			m.silent()
		})
	}
}

// TestNotifyReadyAmongOthers: READY=1 may be on any line of a message.
func TestNotifyReadyAmongOthers(t *testing.T) {
	becomesReady(t, "exec /helper 'X=READY=1' 'STATUS=up\nREADY=1'")
}

// becomesReady runs a container that reports that it is ready, and ends.
func becomesReady(t *testing.T, script string) {
	t.Helper()
	c := newContainer(t)
	m := newServiceManager(c, false)
	c.notifies(script).write()
	r := c.launch(nil, "run", c.id)
	m.ready(r.cmd.Process.Pid)
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(0).silent()
}

// TestNotifyDetached: run --detach and start return when the container is ready.
func TestNotifyDetached(t *testing.T) {
	for _, how := range []string{"run", "start"} {
		t.Run(how, func(t *testing.T) {
			c := newContainer(t)
			m := newServiceManager(c, false)
			in, out := c.fifo("in"), c.fifo("out")
			c.notifies(`/helper STATUS=begins && echo begun >/out; read x </in; /helper READY=1; exec sleep 10000`).write()
			var r *running
			if how == "run" {
				r = c.launch(nil, "run", "--detach", "--pid-file", c.path("pid"), c.id)
			} else {
				c.create()
				m.silent()
				r = c.launch(nil, "start", c.id)
			}
			want(t, "container", out.line(), "begun")
			m.silent()
			in.send("go")
			// The container waits until the barrier after its message is released.
			pid := c.stateJSON().Pid
			m.ready(pid)
			res, err := c.finish(r)
			if err != nil {
				t.Fatal(err)
			}
			res.code(0).silent()
			c.pid = pid
			m.silent()
		})
	}
}

// TestNotifyEndsUnready: start and run do not wait for a container that has ended.
func TestNotifyEndsUnready(t *testing.T) {
	c := newContainer(t)
	m := newServiceManager(c, false)
	c.notifies("exit 3").create()
	c.start()
	want(t, "status", strconv.Itoa(c.wait().ExitStatus()), "3")
	c.command("delete", c.id).must()
	c.command("run", "--detach", "--pid-file", c.path("pid"), c.id).must().silent()
	c.pid = c.readPID()
	m.silent()
}

// TestNotifyReadyAtTheEnd: a message is received even if the container ends right after it.
func TestNotifyReadyAtTheEnd(t *testing.T) { becomesReady(t, "exec /helper READY=1") }

// TestNotifyOnlyCreate: a start without NOTIFY_SOCKET does not wait.
func TestNotifyOnlyCreate(t *testing.T) {
	c := newContainer(t)
	m := newServiceManager(c, false)
	c.notifies("/helper READY=1 || exec sleep 10000").create()
	c.env = nil
	c.start()
	m.silent()
}

// TestNotifyOnlyStart: a container that was created without NOTIFY_SOCKET has no socket.
func TestNotifyOnlyStart(t *testing.T) {
	c := newContainer(t)
	out := c.fifo("out")
	c.notifies("echo $NOTIFY_SOCKET >/out; exec sleep 10000").create()
	m := newServiceManager(c, false)
	c.start()
	want(t, "NOTIFY_SOCKET", out.line(), "/nowhere")
	m.silent()
}

// TestNotifyAsUser: any user in the container can send the message, whatever the umask of the
// caller, and even if the path of the state is long.
func TestNotifyAsUser(t *testing.T) {
	c := newContainer(t)
	m := newServiceManager(c, false)
	c.state = c.path(strings.Repeat("d", 120))
	if err := os.Mkdir(c.state, 0o711); err != nil {
		t.Fatal(err)
	}
	suite.users.mapOwners(c)
	c.notifies("exec /helper READY=1")
	c.spec.Process.User.UID, c.spec.Process.User.GID = 1000, 1000
	c.write()
	unix.Umask(0o077)
	defer unix.Umask(0o022)
	r := c.launch(nil, "run", c.id)
	m.ready(r.cmd.Process.Pid)
	if res, err := c.finish(r); err != nil {
		t.Error(err)
	} else {
		res.code(0).silent()
	}
}

// TestNotifyNobody: if the manager no longer exists, the container runs nevertheless.
func TestNotifyNobody(t *testing.T) {
	c := newContainer(t)
	c.env = append(os.Environ(), "NOTIFY_SOCKET="+c.path("nobody.sock"))
	r := c.notifies("/helper READY=1 && echo fine").run().must()
	want(t, "output", r.out, "fine\n")
	if !strings.Contains(r.stderr, "nobody.sock: connect: no such file or directory") {
		t.Errorf("no warning: %q", r.stderr)
	}
}

// TestNotifyNoMountNamespace: the socket would be mounted on the host.
func TestNotifyNoMountNamespace(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).without(specs.MountNamespace)
	c.spec.Mounts, c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = nil, nil, nil
	c.sh("echo \"<$NOTIFY_SOCKET>\"")
	newServiceManager(c, false)
	r := c.run().must()
	want(t, "output", r.out, "<>\n")
	if !strings.Contains(r.stderr, "NOTIFY_SOCKET is ignored: the container has no mount namespace") {
		t.Errorf("no warning: %q", r.stderr)
	}
}

func TestNotifyBadAddress(t *testing.T) {
	for _, address := range []string{"relative", "@", "/", "vsock:2:1"} {
		t.Run(strings.ReplaceAll(address, "/", "root"), func(t *testing.T) {
			c := newContainer(t)
			c.write()
			c.env = append(os.Environ(), "NOTIFY_SOCKET="+address)
			for _, command := range []string{"create", "run", "start"} {
				c.command(command, c.id).fails("is neither a path nor an abstract socket", "")
			}
			if _, err := os.Stat(filepath.Join(c.state, c.id)); err == nil {
				t.Error("the state is there")
			}
		})
	}
}
