// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
)

// refuseUnbuilt tells what a plan asks for that this engine does not do. Ignoring it
// would give a container that is less confined than its config.json says.
func (cr *creation) refuseUnbuilt() error {
	if unprivileged() && !cr.cfg.Namespaces.Contains(configs.NewUser) {
		return errors.New("linux.namespaces: rootless container requires user namespaces")
	}
	if cr.cfg.Seccomp != nil && !seccomp.Enabled() {
		return errors.New("linux.seccomp: this build of berth has no seccomp support")
	}
	cr.cfg.MountLabel = mountLabel(cr.cfg)
	return checkLabels(&cr.cfg.Process)
}

// compileSeccomp turns the profile into the program that init loads.
func (cr *creation) compileSeccomp() error {
	if cr.cfg.Seccomp == nil {
		return nil
	}
	filter, err := seccomp.Compile(cr.cfg.Seccomp)
	if err != nil || filter == nil {
		return err
	}
	if len(filter.Unknown) > 0 {
		if cr.cfg.SeccompKnownOnly {
			return fmt.Errorf("linux.seccomp.syscalls: unknown system calls: %q", filter.Unknown)
		}
		cr.opts.Log.Debugf("seccomp: unknown system calls: %q", filter.Unknown)
	}
	if len(filter.Unenforced) > 0 {
		cr.opts.Log.Warnf("linux.seccomp.syscalls: unknown system calls, which are not restricted: %q", filter.Unenforced)
	}
	cr.filter = filter
	return nil
}
