// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sent returns the properties of a call by name.
func sent(t *testing.T, c *call) map[string]dbus.Variant {
	t.Helper()
	var list []struct {
		Name  string
		Value dbus.Variant
	}
	if err := dbus.Store(c.args[2:3], &list); err != nil {
		t.Errorf("%s: %v", c.method, err)
	}
	m := make(map[string]dbus.Variant)
	for _, p := range list {
		m[p.Name] = p.Value
	}
	return m
}

func TestStart(t *testing.T) {
	s := newServer(t, func(c *call) []message {
		got := sent(t, c)
		if c.args[0] != "x.scope" || c.args[1] != "replace" || got["PIDs"].String() != "@au [42]" || got["Foo"].String() != `"bar"` || len(got) != 2 {
			t.Errorf("got %v", c.args)
		}
		return c.done()
	})
	u := s.unit(property{name: "Foo", value: "bar"})
	if err := u.Start(42); err != nil {
		t.Fatal(err)
	}
	if got := s.called(); got != "StartTransientUnit" {
		t.Errorf("called %s", got)
	}
	if u.conn != nil {
		t.Error("the connection is still there")
	}
}

// TestDisconnect: a create that fails before there is a process does not need the connection any
// longer.
func TestDisconnect(t *testing.T) {
	s := newServer(t, func(c *call) []message { return c.done() })
	u := s.unit()
	if err := u.Connect(); err != nil {
		t.Fatal(err)
	}
	c := u.conn
	for range 2 {
		if err := u.Disconnect(); err != nil {
			t.Error(err)
		}
	}
	if err := c.close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the connection was still open: %v", err)
	}
	if err := u.Start(42); err != nil {
		t.Errorf("start afterwards: %v", err)
	}
}

// TestStartFails: the manager's error, and whether there may be something to stop.
func TestStartFails(t *testing.T) {
	tests := []struct {
		name    string
		answer  func(c *call) []message
		err     string
		started bool
	}{
		{"refused", func(c *call) []message { return []message{c.fail("a.b", "No.")} }, "systemd: start x.scope: StartTransientUnit: No", false},
		{"refused without words", func(c *call) []message { return []message{c.fail("a.b", "")} }, "systemd: start x.scope: StartTransientUnit: a.b", false},
		{"job", func(c *call) []message { return []message{c.reply(testJob), removed(testJob, "failed")} }, "systemd: start x.scope: its job ended as failed", true},
		{"hung up", func(*call) []message { return []message{nil} }, "systemd: start x.scope: StartTransientUnit: systemd has closed the connection", true},
		{"hung up before the job's end", func(c *call) []message { return []message{c.reply(testJob), nil} }, "systemd: start x.scope: StartTransientUnit: wait for its job: systemd has closed the connection", true},
		{
			"property of an annotation", func(c *call) []message {
				return []message{c.fail(errReadOnly, "Cannot set property Foo, or unknown property.")}
			},
			"systemd: start x.scope: a field: StartTransientUnit: Cannot set property Foo, or unknown property", false,
		},
		{
			"other property", func(c *call) []message {
				return []message{c.fail(errReadOnly, "Cannot set property FooBar, or unknown property.")}
			},
			"systemd: start x.scope: StartTransientUnit: Cannot set property FooBar, or unknown property", false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := newServer(t, tt.answer).unit(property{name: "Foo", value: "bar", field: "a field"})
			checkError(t, u.Start(42), tt.err)
			if u.started != tt.started {
				t.Errorf("started %v", u.started)
			}
		})
	}
}

// TestNoAnswer: nobody waits for a manager that is stuck, wherever that is.
func TestNoAnswer(t *testing.T) {
	silent := func(*call) []message { return nil }
	job := func(c *call) []message { return []message{c.reply(testJob)} }
	noise := func(c *call) []message {
		return []message{removed("/other", "done"), c.reply(testJob), removed("/another", "done")}
	}
	for name, f := range map[string]func() error{
		"start":                 func() error { return newServer(t, silent).unit().hasty().Start(42) },
		"start, job":            func() error { return newServer(t, job).unit().hasty().Start(42) },
		"start, other jobs":     func() error { return newServer(t, noise).unit().hasty().Start(42) },
		"attach":                func() error { return newServer(t, silent).unit().hasty().Attach("", 42) },
		"the place of a user's": func() error { _, err := userUnit(newServer(t, silent)).hasty().controlGroup(); return err },
		"stop": func() error {
			u := newServer(t, silent).unit().hasty()
			u.started = true
			return u.Stop()
		},
		"update": func() error {
			_, err := newServer(t, silent).unit().hasty().Update(cpu(specs.LinuxCPU{Shares: new(uint64(5))}))
			return err
		},
		"authentication": func() error {
			s := newServer(t, silent)
			s.auth = "DATA\r\n"
			return s.unit().hasty().Connect()
		},
		"connect": func() error { return fullServer(t).hasty().Connect() },
	} {
		t.Run(name, func(t *testing.T) {
			err := f()
			if !isTimeout(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func isTimeout(err error) bool { return err != nil && os.IsTimeout(unwrapAll(err)) }

// unwrapAll returns the innermost error.
func unwrapAll(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // this is what unwraps
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			err = e.Unwrap()[0]
		default:
			return err
		}
	}
}

func userUnit(s *server) *Unit {
	u := s.unit()
	u.manager.user = true
	return u
}

// fullServer accepts no more connections.
func fullServer(t *testing.T) *Unit {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	path := socketPath(t)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(c) })
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: path}); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	s := server{path: path}
	return s.unit()
}

// TestUnitExists: an unused unit of that name is removed.
func TestUnitExists(t *testing.T) {
	tests := []struct{ state, called, err string }{
		{"failed", "StartTransientUnit Get StopUnit ResetFailedUnit StartTransientUnit", "<nil>"},
		{"inactive", "StartTransientUnit Get StopUnit ResetFailedUnit StartTransientUnit", "<nil>"},
		{"deactivating", "StartTransientUnit Get StopUnit ResetFailedUnit StartTransientUnit", "<nil>"},
		{"active", "StartTransientUnit Get StopUnit ResetFailedUnit StartTransientUnit", "<nil>"}, // without processes
		{"activating", "StartTransientUnit Get", "systemd: start x.scope: linux.cgroupsPath: the unit exists already, and is in use"},
	}
	for _, tt := range tests {
		t.Run(tt.state, func(t *testing.T) {
			gone := false
			s := newServer(t, func(c *call) []message {
				switch {
				case c.method == "Get":
					return []message{c.reply(dbus.MakeVariant(tt.state))}
				case c.method == "ResetFailedUnit":
					return []message{c.fail(errNoSuchUnit, "Unit x.scope not loaded.")}
				case c.method == "StopUnit":
					gone = true
				case !gone:
					return []message{c.fail(errUnitExists, "Unit x.scope already exists.")}
				}
				return c.done()
			})
			u := s.unit()
			checkError(t, u.Start(42), tt.err)
			if got := s.called(); got != tt.called {
				t.Errorf("called %s, want %s", got, tt.called)
			}
			if u.started != gone {
				t.Errorf("started %v", u.started)
			}
		})
	}
}

// TestUnitExistsWithProcesses: a unit that is in use is not stopped. Its cgroup is that of the
// test.
func TestUnitExistsWithProcesses(t *testing.T) {
	s := newServer(t, func(c *call) []message {
		if c.method == "Get" {
			return []message{c.reply(dbus.MakeVariant("active"))}
		}
		return []message{c.fail(errUnitExists, "")}
	})
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	u := s.unit()
	for _, m := range cgroupfs.ParseMemberships(string(text)) {
		if m.Controllers != "" && m.Controllers != "name=systemd" {
			continue
		}
		u.cgroup, u.unified = strings.TrimSuffix(m.Path, "/"), m.Controllers == ""
		if u.inUse() {
			checkError(t, u.Start(42), "systemd: start x.scope: linux.cgroupsPath: the unit exists already, and is in use")
			return
		}
	}
	t.Skip("no cgroup hierarchy with processes is mounted")
}

func TestSliceExists(t *testing.T) {
	s := newServer(t, func(c *call) []message {
		if _, ok := sent(t, c)["PIDs"]; ok {
			t.Error("a slice with processes")
		}
		return []message{c.fail(errUnitExists, "")}
	})
	u := s.unit()
	u.name = unitName{unit: "x.slice"}
	if err := u.Start(0); err != nil || u.started {
		t.Errorf("%v, started %v", err, u.started)
	}
}

// TestOldManager: a manager that does not know all properties gets those that it knows.
func TestOldManager(t *testing.T) {
	var last map[string]dbus.Variant
	s := newServer(t, func(c *call) []message {
		last = sent(t, c)
		for _, name := range []string{"CollectMode", "AllowedCPUs"} {
			if _, ok := last[name]; ok {
				return []message{c.fail(errReadOnly, "Cannot set property "+name+", or unknown property.")}
			}
		}
		return c.done()
	})
	u := s.unit()
	c := &configs.Cgroup{Resources: cpu(specs.LinuxCPU{Cpus: "0", Shares: new(uint64(1024))})}
	if err := u.plan(c, "id"); err != nil {
		t.Fatal(err)
	}
	if err := u.Start(42); err != nil {
		t.Fatal(err)
	}
	if _, ok := last["CPUWeight"]; !ok || strings.Count(s.called(), "StartTransientUnit") != 3 {
		t.Errorf("called %s, last with %v", s.called(), last)
	}
}

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(c *call) []message
		called string
		err    string
	}{
		"missing": {func(c *call) []message { return []message{c.fail(errNoSuchUnit, "")} }, "StopUnit", "<nil>"},
		"failed": {func(c *call) []message {
			if c.method == "ResetFailedUnit" {
				return []message{c.reply()}
			}
			return c.done()
		}, "StopUnit ResetFailedUnit", "<nil>"},
		"collected": {func(c *call) []message {
			if c.method == "ResetFailedUnit" {
				return []message{c.fail(errNoSuchUnit, "")}
			}
			return c.done()
		}, "StopUnit ResetFailedUnit", "<nil>"},
		"refused": {func(c *call) []message { return []message{c.fail("a.b", "No")} }, "StopUnit", "systemd: stop x.scope: StopUnit: No"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tt.answer)
			u := Load("x.scope", false, 0, true)
			u.manager = s.unit().manager
			checkError(t, u.Stop(), tt.err)
			if got := s.called(); got != tt.called {
				t.Errorf("called %s", got)
			}
			if u.started != (tt.err != "<nil>") {
				t.Errorf("started %v", u.started)
			}
		})
	}
}

// TestStopNothing: a unit that was not started is not stopped, because it belongs to somebody
// else.
func TestStopNothing(t *testing.T) {
	s := newServer(t, func(c *call) []message { return c.done() })
	if err := s.unit().Stop(); err != nil || s.called() != "" {
		t.Errorf("%v, called %s", err, s.called())
	}
}

func TestAttach(t *testing.T) {
	var args []any
	fail := false
	s := newServer(t, func(c *call) []message {
		if args = c.args; fail {
			return []message{c.fail(errUnknownMethod, "Unknown method")}
		}
		return []message{c.reply()}
	})
	for sub, want := range map[string]string{"": "", "a/b": "/a/b"} {
		if err := s.unit().Attach(sub, 42); err != nil || !reflect.DeepEqual(args, []any{"x.scope", want, []uint32{42}}) {
			t.Errorf("%q: %v, %v", sub, err, args)
		}
	}
	fail = true
	checkError(t, s.unit().Attach("", 42), "systemd: put a process into x.scope: AttachProcessesToUnit: Unknown method (needs systemd 238)")
}

// TestUpdate: properties are set, and can be restored, with their own types.
func TestUpdate(t *testing.T) {
	now := map[string]dbus.Variant{
		"CPUWeight": dbus.MakeVariant(uint64(77)), "MemoryMax": dbus.MakeVariant(infinity), "Other": dbus.MakeVariant("x"),
		"IOReadBandwidthMax": dbus.MakeVariant([]deviceValue{{"/dev/a", 1}, {"/dev/b", 2}}), "AllowedCPUs": dbus.MakeVariant([]byte{}),
	}
	var last map[string]string
	s := newServer(t, func(c *call) []message {
		if c.method == "GetAll" {
			return []message{c.reply(now)}
		}
		if c.args[0] != "x.scope" || c.args[1] != true {
			t.Errorf("got %v", c.args)
		}
		got := make(map[string]string)
		for name, v := range sent(t, c) {
			got[name] = v.Signature().String() + " " + v.String()
		}
		last = got
		return []message{c.reply()}
	})
	r := cpu(specs.LinuxCPU{Shares: new(uint64(1024)), Cpus: "0"})
	r.Memory = &specs.LinuxMemory{Limit: new(int64(5))}
	limit := device(8, 0)
	limit.Rate = 9
	r.BlockIO = &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{limit}}
	undo, err := s.unit().Update(r)
	if err != nil {
		t.Fatal(err)
	}
	checkSet := func(what string, want map[string]string) {
		t.Helper()
		if !reflect.DeepEqual(last, want) {
			t.Errorf("%s %v, want %v", what, last, want)
		}
	}
	checkSet("set", map[string]string{
		"CPUWeight": "t @t 100", "MemoryMax": "t @t 5", "AllowedCPUs": "ay @ay [0x1]",
		"IOReadBandwidthMax": `a(st) @a(st) [["/dev/block/8:0", 9]]`,
	})
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	checkSet("set back", map[string]string{
		"CPUWeight": "t @t 77", "MemoryMax": "t @t 18446744073709551615", "AllowedCPUs": "ay @ay []",
		"IOReadBandwidthMax": `a(st) @a(st) [["/dev/a", 1], ["/dev/b", 2]]`,
	})
	if s.called() != "GetAll SetUnitProperties SetUnitProperties" {
		t.Errorf("called %s", s.called())
	}
}

// TestUpdateNothing: limits that systemd does not know need no call.
func TestUpdateNothing(t *testing.T) {
	s := newServer(t, func(c *call) []message { return c.done() })
	undo, err := s.unit().Update(&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB"}}})
	if err != nil || undo() != nil || s.called() != "" {
		t.Errorf("%v, called %s", err, s.called())
	}
}

// TestSettle: a limit of tasks that is too low for the setup of the first process is set later.
func TestSettle(t *testing.T) {
	for limit, late := range map[int64]bool{-1: false, 0: true, 1: true, 2: false} {
		s := newServer(t, func(c *call) []message {
			if got := sent(t, c)["TasksMax"].String(); got != "@t 1" {
				t.Errorf("limit %d: set to %s", limit, got)
			}
			return []message{c.reply()}
		})
		u := s.unit()
		r := resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: &limit} })
		if err := u.plan(&configs.Cgroup{Resources: r}, "id"); err != nil {
			t.Fatal(err)
		}
		if _, ok := values(u.properties)["TasksMax"]; ok == late {
			t.Errorf("limit %d: properties %v", limit, u.properties)
		}
		if err := u.Settle(); err != nil || (s.called() == "SetUnitProperties") != late {
			t.Errorf("limit %d: %v, called %s", limit, err, s.called())
		}
	}
}

func TestPlan(t *testing.T) {
	type props = map[string]any
	always := props{"Description": "berth container id", "DefaultDependencies": false, "CollectMode": "inactive-or-failed", "MemoryAccounting": true, "CPUAccounting": true, "TasksAccounting": true}
	scope := props{"Slice": "system.slice", "Delegate": true}
	tests := []struct {
		name    string
		c       configs.Cgroup
		unit    unitName
		unified bool
		want    []props
	}{
		{"scope", configs.Cgroup{}, unitName{unit: "x.scope", slice: "system.slice"}, true, []props{always, scope, {"IOAccounting": true, "DevicePolicy": "strict"}}},
		{"v1", configs.Cgroup{}, unitName{unit: "x.scope", slice: "system.slice"}, false, []props{always, scope, {"BlockIOAccounting": true, "DevicePolicy": "strict"}}},
		{"slice", configs.Cgroup{}, unitName{unit: "x.slice"}, true, []props{always, {"IOAccounting": true, "DevicePolicy": "strict"}}},
		{"rootless", configs.Cgroup{Rootless: true}, unitName{unit: "x.scope", slice: "system.slice"}, true, []props{always, scope, {"IOAccounting": true}}},
		{
			"annotation",
			configs.Cgroup{UnitProperties: map[string]string{"Delegate": "false"}},
			unitName{unit: "x.scope", slice: "system.slice"},
			true,
			[]props{always, scope, {"IOAccounting": true, "DevicePolicy": "strict", "Delegate": dbus.MakeVariant(false)}},
		},
	}
	for _, tt := range tests {
		u := &Unit{name: tt.unit, unified: tt.unified}
		tt.c.Resources = new(specs.LinuxResources)
		if err := u.plan(&tt.c, "id"); err != nil {
			t.Fatal(err)
		}
		want := make(props)
		for _, m := range tt.want {
			for k, v := range m {
				want[k] = v
			}
		}
		if got := values(u.properties); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
	}
}

// TestUserManager: the manager of a user reports where its cgroups are.
func TestUserManager(t *testing.T) {
	for cgroup, want := range map[string]string{
		"/user.slice/user-1.slice/user@1.service": "/user.slice/user-1.slice/user@1.service", "/": "", "/a/init.scope": "/a", "/../b": "",
	} {
		s := newServer(t, func(c *call) []message { return []message{c.reply(dbus.MakeVariant(cgroup))} })
		if got, err := userUnit(s).controlGroup(); err != nil || got != want {
			t.Errorf("%q: got %q, %v", cgroup, got, err)
		}
	}
}

// TestConnectOnce: an existing connection is used.
func TestConnectOnce(t *testing.T) {
	s := newServer(t, func(c *call) []message { return c.done() })
	u := s.unit()
	if err := u.Connect(); err != nil {
		t.Fatal(err)
	}
	s.listen.Close()
	if err := u.Start(1); err != nil {
		t.Fatal(err)
	}
}
