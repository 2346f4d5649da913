// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/seccomp"
)

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
