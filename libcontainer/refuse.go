// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/cgroups"
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

// warnSubgroup drops a subgroup where there is no cgroup v2 to have it, with a warning. It is no error: who asks for
// one need not know which of the two the host has.
func (cr *creation) warnSubgroup() error {
	if cr.cfg.Cgroup.Subgroup == "" {
		return nil
	}
	mode, err := cgroups.DetectMode()
	if err == nil && mode != cgroups.Unified {
		cr.cfg.Cgroup.Subgroup = ""
		cr.opts.Log.Warnf(`annotations["run.oci.systemd.subgroup"]: ignored, since it needs cgroup v2`)
	}
	return err
}

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
