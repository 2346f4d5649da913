// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func TestSockets(t *testing.T) {
	bus := func(path string) socket { return socket{path: path, bus: true} }
	tests := []struct {
		name string
		user bool
		env  map[string]string
		want []socket
		err  string
	}{
		{"host", false, nil, []socket{{path: "/run/systemd/private"}, bus("/run/dbus/system_bus_socket")}, ""},
		{"another bus", false, map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/x"}, []socket{{path: "/run/systemd/private"}, bus("/x")}, ""},
		{"bad bus", false, map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": "tcp:host=x"}, nil, `environment: DBUS_SYSTEM_BUS_ADDRESS: no unix socket in "tcp:host=x"`},
		{"user", true, nil, []socket{{path: "/run/user/7/systemd/private"}, bus("/run/user/7/bus")}, ""},
		{"user with a directory", true, map[string]string{"XDG_RUNTIME_DIR": "/r"}, []socket{{path: "/r/systemd/private"}, bus("/r/bus")}, ""},
		{"user with a bus", true, map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=/x,guid=1"}, []socket{{path: "/run/user/7/systemd/private"}, bus("@/x")}, ""},
		{"user with a bad bus", true, map[string]string{"DBUS_SESSION_BUS_ADDRESS": "autolaunch:"}, nil, `environment: DBUS_SESSION_BUS_ADDRESS: no unix socket in "autolaunch:"`},
	}
	for _, tt := range tests {
		getenv := func(key string) string { return tt.env[key] }
		got, err := systemSockets(getenv)
		if tt.user {
			got, err = userSockets(getenv, 7)
		}
		if tt.err != "" {
			checkError(t, err, tt.err)
		} else if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// TestSocketsOfAnother: the environment is only for the caller's own manager.
func TestSocketsOfAnother(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/mine")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus/of/mine")
	for uid, want := range map[int][]socket{
		0:         {{path: "/mine/systemd/private"}, {path: "/bus/of/mine", bus: true}},
		hostUID(): {{path: "/mine/systemd/private"}, {path: "/bus/of/mine", bus: true}},
		987654:    {{path: "/run/user/987654/systemd/private"}, {path: "/run/user/987654/bus", bus: true}},
	} {
		u := Load("x.scope", true, uid, true)
		got, err := u.manager.find()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d: got %v, %v, want %v", uid, got, err, want)
		}
	}
	checkError(t, Load("x.scope", true, 987654, true).Connect(), "--systemd-cgroup: systemd does not run for user 987654: connect to /run/user/987654/systemd/private: no such file or directory; "+
		"connect to /run/user/987654/bus: no such file or directory")
}

func TestParseAddress(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{text: "unix:path=/a", want: "/a"},
		{text: "unix:path=/a%20b%2c,guid=00", want: "/a b,"},
		{text: "unix:path=@", want: "./@"},
		{text: "unix:path=@/run/bus;unix:path=%40a", want: "./@/run/bus ./@a"},
		{text: "tcp:host=x,port=1;unix:abstract=y;unix:path=/z", want: "@y /z"},
		{text: "unix:runtime=yes", want: "/run/x/bus"},
		{text: "unix:tmpdir=/tmp", err: "no unix socket"},
		{text: "unix:path=", err: "no unix socket"},
		{text: "", err: "no unix socket"},
		{text: "unix:path=/a%", err: "incomplete escape"},
		{text: "unix:path=/a%2", err: "incomplete escape"},
		{text: "unix:path=/a%xx", err: `not an escape in "/a%xx": "%xx"`},
		{text: "unix:path=/a%00", err: "a NUL byte"},
	}
	for _, tt := range tests {
		list, err := parseAddress(tt.text, "/run/x")
		var paths []string
		for _, s := range list {
			paths = append(paths, s.path)
		}
		if got := strings.Join(paths, " "); got != tt.want || (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: got %q, %v, want %q, %s", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"unix:path=/a,guid=0;unix:abstract=%41", "tcp:", "unix:runtime=yes", "unix:path=%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseAddress(text, "/run/x")
		if (err == nil) == (len(list) == 0) {
			t.Errorf("%q: %v, %v", text, list, err)
		}
		for _, s := range list {
			if s.path == "" || s.path == "@" || strings.IndexByte(s.path, 0) >= 0 || !s.bus {
				t.Errorf("%q: %v", text, s)
			}
		}
	})
}

func TestOutsideID(t *testing.T) {
	const rows = "         0       1000          1\n         1     100000      65536\n"
	for id, want := range map[int]int{0: 1000, 1: 100000, 65536: 165535, 65537: 65537} {
		if got := outsideID(rows, id); got != want {
			t.Errorf("%d: got %d, want %d", id, got, want)
		}
	}
	for _, rows := range []string{"0 0 4294967295\n", "", "0 5\n", "x 5 20\n", "0 y 20\n", "0 5 z\n", "13 5 20\n"} {
		if got := outsideID(rows, 12); got != 12 {
			t.Errorf("%q: got %d", rows, got)
		}
	}
}

// TestIntroduce: the authentication, with managers of all ages, and on a bus.
func TestIntroduce(t *testing.T) {
	for auth, want := range map[string]string{
		"DATA\r\nOK 12\r\n":       "<nil>",
		"OK 12\r\nOK 12\r\n":      "<nil>",
		"REJECTED EXTERNAL\r\n":   "authenticate: rejected",
		"DATA\r\nREJECTED\r\n":    "authenticate: rejected",
		"DATA\r\nERROR \"x\"\r\n": `authenticate: unexpected answer "ERROR \"x\"\r\n"`,
	} {
		s := newServer(t, func(c *call) []message { return busAnswers(c) })
		s.auth = auth
		for _, bus := range []bool{false, true} {
			c, err := dial(socket{path: s.path, bus: bus}, time.Now().Add(time.Minute))
			checkError(t, err, want)
			if c != nil {
				c.close()
			}
		}
		if got := s.called(); want == "<nil>" && got != "Hello AddMatch GetNameOwner" {
			t.Errorf("called %s", got)
		}
	}
}

const testOwner = ":1.3"

// sentBy sets the sender of a message, as a bus does.
func sentBy(sender string, m message) message {
	m.Headers[dbus.FieldSender] = dbus.MakeVariant(sender)
	return m
}

// busAnswers returns the answers of the bus itself, nil for calls of the manager's methods.
func busAnswers(c *call) []message {
	switch c.method {
	case "Hello", "AddMatch":
		return []message{sentBy(busName, c.reply())}
	case "GetNameOwner":
		return []message{sentBy(busName, c.reply(testOwner))}
	}
	return nil
}

// TestForgedSender: on a bus, messages that are not from the manager, according to the bus, do
// not end a job and are not answers.
func TestForgedSender(t *testing.T) {
	for _, forger := range []string{":1.99", service, busName, ""} {
		s := newServer(t, func(c *call) []message {
			if out := busAnswers(c); out != nil {
				return out
			}
			forged := []message{sentBy(forger, removed(testJob, "done"))}
			if forger != busName { // which reports peers that have disconnected
				forged = append(forged, sentBy(forger, c.reply(dbus.ObjectPath("/forged"))))
			}
			return append(forged, sentBy(testOwner, c.reply(testJob)), sentBy(forger, removed(testJob, "done")),
				sentBy(testOwner, removed(testJob, "failed")))
		})
		u := s.unit()
		u.manager.sockets[0].bus = true
		checkError(t, u.Start(42), "systemd: start x.scope: its job ended as failed")
	}
}

// TestNameWithoutOwner: a bus on which there is no service manager.
func TestNameWithoutOwner(t *testing.T) {
	s := newServer(t, func(c *call) []message {
		switch c.method {
		case "GetNameOwner":
			return []message{sentBy(busName, c.fail(noOwner, "No owner."))}
		case "StartServiceByName":
			return []message{sentBy(busName, c.reply(uint32(1)))}
		}
		return busAnswers(c)
	})
	u := s.unit()
	u.manager.sockets[0].bus = true
	checkError(t, u.Start(42), "--systemd-cgroup: systemd cannot be reached: connect to "+s.path+": GetNameOwner: No owner")
}

// TestNameComesLater: on a bus that was started by the connection, the manager's name appears
// later.
func TestNameComesLater(t *testing.T) {
	started := false
	s := newServer(t, func(c *call) []message {
		switch {
		case c.method == "GetNameOwner" && !started:
			return []message{sentBy(busName, c.fail(noOwner, "No owner."))}
		case c.method == "StartServiceByName":
			started = true
			return []message{sentBy(busName, c.reply(uint32(1)))}
		}
		if out := busAnswers(c); out != nil {
			return out
		}
		var all []message
		for _, m := range c.done() {
			all = append(all, sentBy(testOwner, m))
		}
		return all
	})
	u := s.unit()
	u.manager.sockets[0].bus = true
	if err := u.Start(42); err != nil {
		t.Error(err)
	}
}

// TestConnect: the second socket is used if nobody listens on the first one, and the error
// names both.
func TestConnect(t *testing.T) {
	s := newServer(t, func(c *call) []message { return c.done() })
	u := s.unit()
	u.manager.sockets = []socket{{path: "/nonexistent/a"}, {path: s.path}}
	if err := u.Start(1); err != nil {
		t.Error(err)
	}
	u.manager.sockets[1].path = "/nonexistent/b"
	const both = "connect to /nonexistent/a: no such file or directory; connect to /nonexistent/b: no such file or directory"
	checkError(t, u.Start(1), "--systemd-cgroup: systemd cannot be reached: "+both)
	u.manager.user = true
	if err := u.Start(1); err == nil || !strings.HasSuffix(err.Error(), ": "+both) || !strings.HasPrefix(err.Error(), "--systemd-cgroup: systemd does not run for user ") {
		t.Error(err)
	}
}
