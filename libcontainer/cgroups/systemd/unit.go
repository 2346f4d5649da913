// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Connect connects to systemd in advance; otherwise the next call does it. The call closes the
// connection, because systemd sends messages about each job on the host to it, and has to queue
// them if nobody reads.
func (u *Unit) Connect() error {
	if u.conn != nil {
		return nil
	}
	var err error
	u.conn, err = u.manager.connect(time.Now().Add(u.patience))
	return err
}

// Disconnect closes a connection that no call has used.
func (u *Unit) Disconnect() error {
	if u.conn == nil {
		return nil
	}
	c := u.conn
	u.conn = nil
	return c.close()
}

// do connects, calls f within the time that one call may take, and disconnects.
func (u *Unit) do(what string, f func(*conn) error) error {
	if err := u.Connect(); err != nil {
		return err
	}
	c := u.conn
	u.conn = nil
	defer c.close()
	err := c.until(time.Now().Add(u.patience))
	if err == nil {
		err = f(c)
	}
	if err != nil {
		return fmt.Errorf("systemd: %s %s: %w", what, u.name.unit, err)
	}
	return nil
}

// Start starts the unit around process pid, which is then in its cgroup; for a slice there is
// no process. It first removes a unit of that name that has failed or is stopping. Any other
// scope of that name is an error.
func (u *Unit) Start(pid int) error {
	return u.do("start", func(c *conn) error {
		err := u.start(c, pid)
		if !isError(err, errUnitExists) {
			return err
		}
		if u.IsSlice() {
			return nil // systemd also creates slices for the units in them.
		}
		if err := u.clear(c); err != nil {
			return err
		}
		return u.start(c, pid)
	})
}

func (u *Unit) start(c *conn, pid int) error {
	properties := u.properties
	if !u.IsSlice() {
		properties = append(slices.Clip(properties), property{name: "PIDs", value: []uint32{uint32(pid)}})
	}
	err := obliging(properties, func(p []wireProperty) error {
		return c.job("StartTransientUnit", u.name.unit, "replace", p, []wireUnit{})
	})
	// A job that fails, or whose result is not known, may leave something behind.
	u.started = u.started || !isAnswer(err)
	return blame(err, properties)
}

// blame adds to systemd's error for a property the field that it comes from.
func blame(err error, properties []property) error {
	var e *callError
	if !errors.As(err, &e) {
		return err
	}
	for _, p := range properties {
		if p.field != "" && slices.Contains(strings.FieldsFunc(e.text, notInPropertyName), p.name) {
			return fmt.Errorf("%s: %w", p.field, err)
		}
	}
	return err
}

// clear removes a unit of the same name that is not in use any more.
func (u *Unit) clear(c *conn) error {
	body, err := c.call(service, objectPath(u.name.unit), propertiesInterface, "Get", unitInterface, "ActiveState")
	if isError(err, errNoSuchUnit) {
		return nil
	}
	if err != nil {
		return err
	}
	var state string
	if err := dbus.Store(body, &state); err != nil {
		return fmt.Errorf("ActiveState: %w", err)
	}
	if state == "activating" || state == "active" && u.inUse() {
		return fmt.Errorf("%s: the unit exists already, and is in use", cgroupfs.PathField)
	}
	return stop(c, u.name.unit)
}

// inUse reports whether there are processes in the unit's cgroup. In case of doubt it returns
// true. A scope without processes remains if its first process ended before systemd had noticed
// it.
func (u *Unit) inUse() bool {
	root := cgroupfs.Dir(cgroupfs.Root)
	if !u.unified {
		root += "/systemd"
	}
	pids, err := (root + cgroupfs.Dir(u.cgroup)).Pids()
	return err != nil || len(pids) > 0
}

// Stop stops the unit and unloads it, and systemd then removes its cgroup. A missing unit is
// not an error.
func (u *Unit) Stop() error {
	if !u.started {
		return nil
	}
	err := u.do("stop", func(c *conn) error { return stop(c, u.name.unit) })
	if err == nil {
		u.started = false
	}
	return err
}

func stop(c *conn, unit string) error {
	err := c.job("StopUnit", unit, "replace")
	if isError(err, errNoSuchUnit) {
		return nil
	}
	if err != nil {
		return err
	}
	// systemd keeps a failed unit, so that it can be inspected.
	_, err = c.manage("ResetFailedUnit", unit)
	if isError(err, errNoSuchUnit) {
		return nil
	}
	return err
}

// Attach lets systemd move process pid into the unit's cgroup, or into the given one below it.
// It is for callers who may not do this themselves, because they do not own the cgroup that the
// process is in.
func (u *Unit) Attach(sub string, pid int) error {
	if sub != "" {
		sub = "/" + sub
	}
	return u.do("put a process into", func(c *conn) error {
		_, err := c.manage("AttachProcessesToUnit", u.name.unit, sub, []uint32{uint32(pid)})
		if isError(err, errUnknownMethod) {
			return fmt.Errorf("%w (needs systemd 238)", err)
		}
		return err
	})
}

// Settle sets the properties that cannot be set before the setup of the first process is
// complete.
func (u *Unit) Settle() error {
	if len(u.late) == 0 {
		return nil
	}
	return u.do("limit", func(c *conn) error { return set(c, u.name.unit, u.late) })
}

// Update sets the properties for limits that have changed. undo restores the previous values.
func (u *Unit) Update(r *specs.LinuxResources) (undo func() error, err error) {
	properties, err := resourceProperties(r, u.unified)
	if err != nil || len(properties) == 0 {
		return func() error { return nil }, err
	}
	var before []property
	err = u.do("update", func(c *conn) error {
		if before, err = get(c, u.name.unit, properties); err != nil {
			return err
		}
		return set(c, u.name.unit, properties)
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		return u.do("bring back the properties of", func(c *conn) error { return set(c, u.name.unit, before) })
	}, nil
}

// set sets properties for the lifetime of the unit.
func set(c *conn, unit string, properties []property) error {
	return obliging(properties, func(p []wireProperty) error {
		_, err := c.manage("SetUnitProperties", unit, true, p)
		return err
	})
}

// get reads the current values of properties.
func get(c *conn, unit string, properties []property) ([]property, error) {
	iface := service + ".Scope"
	if strings.HasSuffix(unit, sliceSuffix) {
		iface = service + ".Slice"
	}
	body, err := c.call(service, objectPath(unit), propertiesInterface, "GetAll", iface)
	if err != nil {
		return nil, err
	}
	var all map[string]dbus.Variant
	if err := dbus.Store(body, &all); err != nil {
		return nil, fmt.Errorf("GetAll: %w", err)
	}
	var now []property
	for _, p := range properties {
		v, ok := all[p.name]
		if !ok {
			continue
		}
		// Use the type that is needed to write it back: the library reads structures as lists.
		value := reflect.New(reflect.TypeOf(p.value))
		if err := dbus.Store([]any{v.Value()}, value.Interface()); err != nil {
			return nil, fmt.Errorf("GetAll: %s: %w", p.name, err)
		}
		now = append(now, property{name: p.name, value: value.Elem().Interface(), optional: true})
	}
	return now, nil
}

// obliging calls f with the properties, and if necessary again without the optional ones that
// this systemd does not know: they were added one by one, from version 236 to 252, and some are
// being removed.
func obliging(properties []property, f func([]wireProperty) error) error {
	for {
		err := f(wire(properties))
		i := slices.IndexFunc(properties, func(p property) bool { return p.optional && refused(err, p.name) })
		if i < 0 {
			return err
		}
		properties = slices.Concat(properties[:i], properties[i+1:])
	}
}

// refused reports whether err means that the manager does not know a property.
func refused(err error, name string) bool {
	var e *callError
	return errors.As(err, &e) && e.name == errReadOnly && strings.Contains(e.text, "property "+name+",")
}
