// SPDX-License-Identifier: Apache-2.0

package libcontainer

import "github.com/berth-run/berth/seccomp"

// compileSeccomp turns the profile into the program that init loads.
func (cr *creation) compileSeccomp() error {
	if cr.cfg.Seccomp == nil {
		return nil
	}
	filter, err := seccomp.Compile(cr.cfg.Seccomp, cr.store.cacheDir("seccomp"))
	if err != nil || filter == nil {
		return err
	}
	if filter.CacheErr != nil {
		cr.opts.Log.Debugf("seccomp cache: %v", filter.CacheErr)
	}
	if len(filter.Unknown) > 0 {
		cr.opts.Log.Debugf("seccomp: unknown system calls: %q", filter.Unknown)
	}
	cr.filter = filter
	return nil
}
