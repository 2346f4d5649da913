// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// server is a service manager that is controlled by a test.
type server struct {
	t      *testing.T
	path   string
	listen net.Listener
	// auth are the answers to the lines of the authentication.
	auth string
	// answer is called for each method call.
	answer func(c *call) []message
	wait   sync.WaitGroup

	mu    sync.Mutex
	calls []string
}

// call is a method call that the server has received.
type call struct {
	method string
	args   []any
	serial uint32
}

// message is an answer: one of reply, fail and signal.
type message = *dbus.Message

func (c *call) reply(values ...any) message {
	return &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(c.serial),
	}, Body: values}
}

func (c *call) fail(name, text string) message {
	m := c.reply(text)
	m.Type = dbus.TypeError
	m.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
	return m
}

const testJob = dbus.ObjectPath("/org/freedesktop/systemd1/job/7")

// removed is the signal for the end of a job.
func removed(job dbus.ObjectPath, result string) message {
	return &dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath(managerPath)),
		dbus.FieldInterface: dbus.MakeVariant(managerInterface),
		dbus.FieldMember:    dbus.MakeVariant("JobRemoved"),
	}, Body: []any{uint32(7), job, "x.scope", result}}
}

// done is a successful job, reported among others.
func (c *call) done() []message {
	return []message{removed("/org/freedesktop/systemd1/job/6", "failed"), c.reply(testJob), removed(testJob, "done")}
}

// socketPath returns a short path for a test's socket, however long the path of the temporary
// directory is.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return fmt.Sprintf("/proc/self/fd/%d/s", dir.Fd())
}

// newServer starts a server that answers all calls in the same way.
func newServer(t *testing.T, answer func(c *call) []message) *server {
	t.Helper()
	s := &server{t: t, auth: "DATA\r\nOK 1234\r\n", answer: answer, path: socketPath(t)}
	var err error
	if s.listen, err = net.Listen("unix", s.path); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	s.wait.Go(func() {
		for {
			c, err := s.listen.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			conns = append(conns, c)
			s.mu.Unlock()
			s.wait.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		s.listen.Close()
		s.mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wait.Wait()
	})
	return s
}

func (s *server) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for _, want := range []string{"\x00AUTH EXTERNAL\r\n", "DATA\r\n", "BEGIN\r\n"} {
		if line, err := in.ReadString('\n'); err != nil || line != want {
			s.t.Errorf("authentication: got %q, %v, want %q", line, err, want)
			return
		}
	}
	if _, err := io.WriteString(conn, s.auth); err != nil {
		return
	}
	for serial := uint32(1); ; serial++ {
		m, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		c := &call{args: m.Body, serial: m.Serial()}
		c.method, _ = m.Headers[dbus.FieldMember].Value().(string)
		s.mu.Lock()
		s.calls = append(s.calls, c.method)
		s.mu.Unlock()
		for _, out := range s.answer(c) {
			if out == nil {
				conn.Close()
				return
			}
			if err := write(conn, out, serial); err != nil {
				return
			}
		}
	}
}

func write(w io.Writer, m *dbus.Message, serial uint32) error {
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b.Bytes()[8:], serial)
	_, err := w.Write(b.Bytes())
	return err
}

// called returns the calls, in order.
func (s *server) called() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

// unit is a unit that the server manages.
func (s *server) unit(properties ...property) *Unit {
	return &Unit{
		name: unitName{unit: "x.scope", slice: "system.slice", parents: "system.slice/"}, unified: true, properties: properties,
		cgroup: "/no-such-cgroup", manager: manager{sockets: []socket{{path: s.path}}}, patience: time.Minute,
	}
}

// hasty sets a short deadline.
func (u *Unit) hasty() *Unit {
	u.patience = 50 * time.Millisecond
	return u
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
