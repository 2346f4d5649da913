// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"time"
)

// Freeze freezes or thaws every process of a v2 cgroup, and waits until the kernel reports that
// it is done. If they do not all freeze, all are thawed again.
func (d Dir) Freeze(on bool) error {
	err := d.freeze(on)
	if err != nil && on {
		err = errors.Join(err, d.freeze(false))
	}
	return err
}

func (d Dir) freeze(on bool) error {
	value, verb := "0", "thaw"
	if on {
		value, verb = "1", "freeze"
	}
	err := d.Write("cgroup.freeze", value)
	if err == nil {
		err = d.awaitEvent("frozen", value, time.Now().Add(Patience))
	}
	if gone(err) && !on && !d.Exists() {
		return nil
	}
	if errors.Is(err, ErrTimeout) && !on {
		err = fmt.Errorf("%w (a cgroup above may be frozen)", err)
	}
	if err != nil {
		return fmt.Errorf("%s cgroup %s: %w", verb, d, err)
	}
	return nil
}

// ThawFrozen thaws a v2 cgroup if its own cgroup.freeze is set. Processes that a cgroup below
// keeps frozen can die anyway.
func (d Dir) ThawFrozen() error {
	if frozen, err := d.Frozen(); err != nil || !frozen {
		return nil //nolint:nilerr // without a freezer, or without the cgroup, nothing is frozen
	}
	return d.Freeze(false)
}

// Frozen reports whether cgroup.freeze of the v2 cgroup itself is set.
func (d Dir) Frozen() (bool, error) {
	v, err := d.Read("cgroup.freeze")
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cgroup %s: %w", d, err)
	}
	return v == "1", nil
}
