// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// conn is a connection to a service manager, for one call at a time: it writes a message and
// reads until the answer has come. It uses only the encoding of the library. The library's
// connections have goroutines and take three round trips to authenticate; this one knows what
// it waits for, and until when.
type conn struct {
	file   *os.File
	in     *bufio.Reader
	serial uint32
	// bus means that others can send messages too. owner is the unique name of the service
	// manager there, once it is known.
	bus   bool
	owner string
	// removed has the results of jobs that have ended.
	removed map[dbus.ObjectPath]string
}

func newConn(f *os.File) *conn {
	return &conn{file: f, in: bufio.NewReader(f), removed: make(map[dbus.ObjectPath]string)}
}

func (c *conn) close() error { return c.file.Close() }

// until sets the deadline for all waits.
func (c *conn) until(deadline time.Time) error { return c.file.SetDeadline(deadline) }

// introduce authenticates the connection (D-Bus Specification, "Authentication
// Protocol"), all at once:
//
//	"\0" AUTH EXTERNAL  ─▶
//	DATA                ─▶
//	BEGIN               ─▶
//	                    ◀─  DATA, or OK
//	                    ◀─  OK guid
//
// The identity is left out: the other side gets it from the kernel, and in a user namespace the
// own id there is not known.
func (c *conn) introduce(bus bool) error {
	if _, err := c.file.WriteString("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"); err != nil {
		return err
	}
	var line string
	for range 2 {
		var err error
		if line, err = c.in.ReadString('\n'); err != nil {
			return fmt.Errorf("authenticate: %w", hungUp(err))
		}
		if strings.HasPrefix(line, "REJECTED") {
			return errors.New("authenticate: rejected")
		}
	}
	if !strings.HasPrefix(line, "OK") {
		return fmt.Errorf("authenticate: unexpected answer %q", line)
	}
	if c.bus = bus; !bus {
		return nil
	}
	return c.join()
}

// join registers the connection at the bus, and finds out the service manager's unique name.
// The match rule only filters broadcasts: anybody on the bus may send to this connection a
// message that looks like a signal of the manager.
func (c *conn) join() error {
	const path = "/org/freedesktop/DBus"
	if _, err := c.call(busName, path, busName, "Hello"); err != nil {
		return err
	}
	_, err := c.call(busName, path, busName, "AddMatch",
		"type='signal',sender='"+service+"',interface='"+managerInterface+"',member='JobRemoved'")
	if err != nil {
		return err
	}
	body, err := c.call(busName, path, busName, "GetNameOwner", service)
	if e := (*callError)(nil); errors.As(err, &e) && e.name == noOwner {
		// On a bus that was started for this connection, the manager appears later.
		if _, err = c.call(busName, path, busName, "StartServiceByName", service, uint32(0)); err != nil {
			return err
		}
		body, err = c.call(busName, path, busName, "GetNameOwner", service)
	}
	if err != nil {
		return err
	}
	if err := dbus.Store(body, &c.owner); err != nil || c.owner == "" {
		return fmt.Errorf("GetNameOwner: nobody has the name %s", service)
	}
	return nil
}

const (
	// busName is the name of the bus itself, also as the sender of its answers.
	busName = "org.freedesktop.DBus"
	noOwner = "org.freedesktop.DBus.Error.NameHasNoOwner"
)

// The names of systemd's D-Bus API.
const (
	service          = "org.freedesktop.systemd1"
	managerPath      = "/org/freedesktop/systemd1"
	managerInterface = service + ".Manager"
	unitInterface    = service + ".Unit"
	// propertiesInterface is implemented by every object (D-Bus Specification).
	propertiesInterface = "org.freedesktop.DBus.Properties"

	errUnitExists    = service + ".UnitExists"
	errNoSuchUnit    = service + ".NoSuchUnit"
	errReadOnly      = "org.freedesktop.DBus.Error.PropertyReadOnly"
	errUnknownMethod = "org.freedesktop.DBus.Error.UnknownMethod"
)

// callError is an error reply of the other side.
type callError struct{ method, name, text string }

func (e *callError) Error() string {
	if e.text == "" {
		return e.method + ": " + e.name
	}
	return e.method + ": " + strings.TrimSuffix(e.text, ".")
}

// isError reports whether err is the error reply with the given name.
func isError(err error, name string) bool {
	var e *callError
	return errors.As(err, &e) && e.name == name
}

// isAnswer reports whether err is a reply, so that certainly nothing was done.
func isAnswer(err error) bool { return errors.As(err, new(*callError)) }

// manage calls a method of the manager.
func (c *conn) manage(method string, args ...any) ([]any, error) {
	return c.call(service, managerPath, managerInterface, method, args...)
}

// call calls a method and returns the values of its answer.
func (c *conn) call(name, path, iface, method string, args ...any) ([]any, error) {
	if err := c.send(name, path, iface, method, args); err != nil {
		return nil, fmt.Errorf("%s: %w", method, hungUp(err))
	}
	for {
		m, err := c.receive()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		if serial, _ := m.Headers[dbus.FieldReplySerial].Value().(uint32); serial != c.serial || !c.trusts(m) {
			continue
		}
		if m.Type != dbus.TypeError {
			return m.Body, nil
		}
		e := &callError{method: method}
		e.name, _ = m.Headers[dbus.FieldErrorName].Value().(string)
		if len(m.Body) > 0 {
			e.text, _ = m.Body[0].(string)
		}
		return nil, e
	}
}

// send writes a method call.
func (c *conn) send(name, path, iface, method string, args []any) error {
	b, err := c.encode(name, path, iface, method, args)
	if err == nil {
		_, err = c.file.Write(b)
	}
	return err
}

// encode returns the message of a method call, with the next serial number.
func (c *conn) encode(name, path, iface, method string, args []any) ([]byte, error) {
	m := dbus.Message{
		Type: dbus.TypeMethodCall,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(name),
			dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath(path)),
			dbus.FieldInterface:   dbus.MakeVariant(iface),
			dbus.FieldMember:      dbus.MakeVariant(method),
		},
		Body: args,
	}
	if len(args) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(args...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		return nil, err
	}
	c.serial++
	// The library has no way to set the serial number of a message. It comes after four single
	// bytes and the size of the body.
	binary.LittleEndian.PutUint32(b.Bytes()[8:], c.serial)
	return b.Bytes(), nil
}

// trusts reports whether a message is from the service manager, or an answer of the bus: the
// bus sets the sender of each message.
func (c *conn) trusts(m *dbus.Message) bool {
	if !c.bus {
		return true
	}
	sender, _ := m.Headers[dbus.FieldSender].Value().(string)
	return sender == busName && m.Type != dbus.TypeSignal || sender == c.owner && sender != ""
}

// receive reads one message. If it reports the end of a job, it records the result.
func (c *conn) receive() (*dbus.Message, error) {
	m, err := dbus.DecodeMessage(c.in)
	if err != nil {
		return nil, hungUp(err)
	}
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	if m.Type != dbus.TypeSignal || member != "JobRemoved" || !c.trusts(m) {
		return m, nil
	}
	var id uint32
	var job dbus.ObjectPath
	var unit, result string
	if dbus.Store(m.Body, &id, &job, &unit, &result) == nil {
		c.removed[job] = result
	}
	return m, nil
}

// job calls a method of the manager that starts a job, and waits for its end.
func (c *conn) job(method string, args ...any) error {
	body, err := c.manage(method, args...)
	if err != nil {
		return err
	}
	var job dbus.ObjectPath
	if err := dbus.Store(body, &job); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	for {
		if result, ok := c.removed[job]; ok {
			delete(c.removed, job)
			if result != "done" {
				return &jobError{result}
			}
			return nil
		}
		if _, err := c.receive(); err != nil {
			return fmt.Errorf("%s: wait for its job: %w", method, err)
		}
	}
}

// jobError is the result of a job that was not successful: "failed", "canceled", "timeout",
// "dependency", "skipped".
type jobError struct{ result string }

func (e *jobError) Error() string { return "its job ended as " + e.result }

// hungUp explains the two ways in which an answer can be missing.
func hungUp(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("systemd does not answer: %w", os.ErrDeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("systemd has closed the connection")
	}
	return err
}
