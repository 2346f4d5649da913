// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"time"
)

// Freeze stops or continues every process of a v2 cgroup, waiting for the kernel
// to say that it is done. When they do not all stop, none is left stopped.
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
		err = d.AwaitEvent("frozen", value, time.Now().Add(Patience))
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

// ThawFrozen continues the processes of a v2 cgroup that is told to be frozen. Those that
// one below holds frozen need nothing to die.
func (d Dir) ThawFrozen() error {
	if frozen, err := d.Frozen(); err != nil || !frozen {
		return nil //nolint:nilerr // without a freezer, or without the cgroup, nothing is frozen
	}
	return d.Freeze(false)
}

// Frozen says whether the v2 cgroup itself is told to be frozen.
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
