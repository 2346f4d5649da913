// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
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
	p := &cr.cfg.Process
	for _, f := range []struct {
		asked bool
		field string
	}{
		{p.AppArmorProfile != "", "process.apparmorProfile"},
		{p.SELinuxLabel != "", "process.selinuxLabel"},
		{p.Scheduler != nil, "process.scheduler"},
		{p.IOPriority != nil, "process.ioPriority"},
		{cr.cfg.Personality != nil, "linux.personality"},
		{cr.cfg.MemoryPolicy != nil, "linux.memoryPolicy"},
		{cr.cfg.IntelRdt != nil, "linux.intelRdt"},
		{len(cr.cfg.NetDevices) > 0, "linux.netDevices"},
		{cr.cfg.MountLabel != "" && haveSELinux(), "linux.mountLabel"},
	} {
		if f.asked {
			return fmt.Errorf("%s is not supported yet", f.field)
		}
	}
	// Without SELinux a label means nothing, and engines set it all the same.
	cr.cfg.MountLabel = ""
	return nil
}

// haveSELinux says whether the kernel enforces SELinux labels: only then is its file
// system mounted.
func haveSELinux() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/selinux", &st) == nil && st.Type == unix.SELINUX_MAGIC
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
	if filter.NewListener() {
		return errors.New("linux.seccomp: SCMP_ACT_NOTIFY is not supported yet")
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
