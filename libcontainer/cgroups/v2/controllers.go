// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

// enable enables every available controller for the container's cgroup: each cgroup above has
// to pass them on with its cgroup.subtree_control. A failure is only recorded: it becomes an
// error if a limit needs the controller.
//
// Usually all are enabled since the first container, which two reads show.
func (m *Manager) enable() error {
	all, err := m.root.Read("cgroup.controllers")
	if err != nil {
		return cgroupfs.PathError(fmt.Errorf("cgroup %s: %w", m.root, err))
	}
	have, err := m.dir.Read("cgroup.controllers")
	if err != nil {
		return cgroupfs.PathError(fmt.Errorf("cgroup %s: %w", m.dir, err))
	}
	if have == all {
		return nil
	}
	for i := len(m.root); i < len(m.dir); i++ {
		if m.dir[i] != '/' {
			continue
		}
		if err := m.passOn(m.dir[:i]); err != nil {
			return cgroupfs.PathError(fmt.Errorf("cgroup %s: %w", m.dir[:i], err))
		}
	}
	return checkType(m.dir)
}

// passOn enables in d, for the cgroups below it, the controllers that d has and does not pass
// on yet.
func (m *Manager) passOn(d cgroupfs.Dir) error {
	have, err := d.Read("cgroup.controllers")
	if err != nil {
		return err
	}
	enabled, err := d.Read("cgroup.subtree_control")
	if err != nil {
		return err
	}
	var missing []string
	for c := range strings.FieldsSeq(have) {
		if !cgroupfs.HasWord(enabled, c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err = d.Write("cgroup.subtree_control", strings.Join(missing, " "))
	if err == nil {
		return nil
	}
	for _, c := range missing {
		// A write has an effect for all or none of them. If the failure is not about a single
		// controller, trying them one by one makes no sense.
		one := err
		if len(missing) > 1 && !cgroupfs.Permission(err) {
			one = d.Write("cgroup.subtree_control", c)
		}
		if one != nil {
			m.refuse(c[1:], fmt.Errorf("cgroup %s: %w", d, one))
		}
	}
	return nil
}

func (m *Manager) refuse(controller string, err error) {
	if m.refused == nil {
		m.refused = make(map[string]error)
	}
	if m.refused[controller] == nil {
		m.refused[controller] = err
	}
}

// checkType makes the cgroup usable if one above it is threaded: below a threaded cgroup a new
// one is invalid, and no process can enter it until it is threaded too.
func checkType(d cgroupfs.Dir) error {
	kind, err := d.Read("cgroup.type")
	if err != nil || kind != "domain invalid" {
		return nil //nolint:nilerr // Placing the process will report the error.
	}
	if err := d.Write("cgroup.type", "threaded"); err != nil {
		return cgroupfs.PathError(fmt.Errorf("cgroup %s is below a threaded cgroup: %w", d, err))
	}
	return nil
}

// knobs returns the files of one controller.
func (m *Manager) knobs(controller string) cgroupfs.Knobs {
	if m.dir == "" {
		err := cgroupfs.ErrNoCgroup
		if m.denied != nil {
			err = fmt.Errorf("%w: %w", err, m.denied)
		}
		return cgroupfs.Knobs{Missing: err, Draft: m.draft}
	}
	if m.draft != nil {
		return cgroupfs.Knobs{Dir: m.dir, Draft: m.draft, Missing: m.missing(controller)}
	}
	return cgroupfs.Knobs{
		Dir: m.dir, Journal: m.journal,
		Absent: func(err error) error { return m.absent(controller, err) },
	}
}

// missing explains why the host has no such controller; nil if it has.
func (m *Manager) missing(controller string) error {
	all, err := m.root.Read("cgroup.controllers")
	// The others are not controllers: their files are always there.
	if err != nil || cgroupfs.HasWord(all, controller) || controller == "cgroup" || controller == "devices" || controller == "freezer" {
		return nil //nolint:nilerr // Create will say so.
	}
	return fmt.Errorf("the host has no %s controller on cgroup v2", controller)
}

// absent explains why the file of a limit does not exist.
func (m *Manager) absent(controller string, err error) error {
	if why := m.refused[controller]; why != nil {
		return cgroupfs.Absence(err, "the %s controller could not be enabled: %w", controller, why)
	}
	have, readErr := m.dir.Read("cgroup.controllers")
	switch {
	case readErr != nil:
		return errors.Join(err, readErr)
	case cgroupfs.HasWord(have, controller):
		return cgroupfs.Absence(err, "the kernel does not have this limit")
	}
	all, _ := m.root.Read("cgroup.controllers")
	if !cgroupfs.HasWord(all, controller) {
		return cgroupfs.Absence(err, "the host has no %s controller on cgroup v2", controller)
	}
	return cgroupfs.Absence(err, "the %s controller is not enabled in %s/cgroup.subtree_control", controller, m.dir.Parent())
}
