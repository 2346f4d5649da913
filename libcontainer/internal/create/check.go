// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/seccomp"
)

// RefuseUnbuilt returns an error if the plan asks for something that this engine cannot do. To
// ignore it would make a container that is less confined than its config.json says.
func (cr *Creation) RefuseUnbuilt() error {
	if userns.Unprivileged() && !cr.Cfg.Namespaces.Contains(configs.NewUser) {
		return codes.New(codes.NeedsRoot, "linux.namespaces: rootless container requires user namespaces"+configs.HintRootless)
	}
	if cr.Cfg.Seccomp != nil && !seccomp.Enabled() {
		return errors.New("linux.seccomp: this build of berth has no seccomp support")
	}
	cr.Cfg.MountLabel = attr.MountLabel(cr.Cfg)
	return attr.CheckLabels(&cr.Cfg.Process)
}

// CompileSeccomp compiles the seccomp profile to the BPF program that init loads.
func (cr *Creation) CompileSeccomp() error {
	if cr.Cfg.Seccomp == nil {
		return nil
	}
	filter, err := seccomp.Compile(cr.Cfg.Seccomp)
	if err != nil || filter == nil {
		return codes.With(codes.SeccompFailed, err)
	}
	if len(filter.Unknown) > 0 {
		if cr.Cfg.SeccompKnownOnly {
			return codes.With(codes.SeccompFailed, fmt.Errorf("linux.seccomp.syscalls: unknown system calls: %q", filter.Unknown))
		}
		cr.Opts.Log.Debugf("seccomp: unknown system calls: %q", filter.Unknown)
	}
	if len(filter.Unenforced) > 0 {
		cr.Opts.Log.Warnf("linux.seccomp.syscalls: unknown system calls, which are not restricted: %q", filter.Unenforced)
	}
	cr.Filter = filter
	return nil
}
