// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
)

// BuildAndPrepare prepares the host and has the builder make the root file system. The host comes
// first: meanwhile init enters its namespaces.
func (cr *Creation) BuildAndPrepare() error {
	if cr.Saved.RootfsMountID != 0 {
		cr.Undo.Push("unmount the rootfs", func() error {
			return host.DetachAbove(cr.Saved.Rootfs, cr.Saved.RootfsMountID)
		})
	}
	cr.limited = make(chan struct{})
	cr.debugBuild()
	b := builder.Start(&builder.Site{
		Config: cr.Cfg, Init: cr.Init, Within: cr.within, Cgroup: cr.Cgroup, Limited: cr.limited, Trace: cr.Trace,
		OwnTree:      cr.ownTree,
		ProcContexts: cr.procContexts, Entered: cr.checkJoinedMaps, Describe: cr.describe,
	})
	cr.procContexts = nil
	connected := cr.StartNetwork(false)
	herr := cr.prepareHost()
	nerr := connected()
	// The builder's error comes first: it may say why init is gone.
	err := b.Mount()
	if err == nil {
		err = herr
	}
	if err == nil {
		err = nerr
	}
	if err != nil {
		b.Abort()
		return err
	}
	if err = cr.EnterDelegated(); err == nil {
		err = cr.MoveNetDevices()
	}
	if err == nil {
		err = cr.runCreateHooks()
	}
	if err != nil {
		b.Abort()
		return err
	}
	cr.Debugf("builder: pivot, sysctls, masked and read-only paths")
	built, err := b.Finish()
	cr.Built = built
	return err
}

// prepareHost does the host's part of the work.
func (cr *Creation) prepareHost() error {
	list := []steps.Step{
		{"set the limits of the cgroup", func() error {
			defer close(cr.limited)
			if err := cr.Cgroup.Set(cr.Cfg.Cgroup.Resources); err != nil {
				return codes.With(codes.CgroupLimit, configs.PutPhrase(configs.PhraseSetCgroup, err))
			}
			return nil
		}},
		{"set the device rules of the cgroup", cr.SetDeviceRules},
		{"delegate the cgroup", cr.DelegateCgroup},
		{"set the OOM score", func() error {
			return attr.SetOOMScore(cr.Init.PID, cr.Cfg.Process.OOMScoreAdj, cr.Cfg.Cgroup.Rootless)
		}},
		{"join the resctrl group", cr.joinResctrl},
		{"raise hard limits", func() error { return attr.RaiseRlimits(cr.Init.PID, cr.Cfg.Process.Rlimits) }},
		{"make the fifos", cr.MakeFifos},
		{"compile the seccomp profile", cr.CompileSeccomp},
		{"keep what exec needs", cr.KeepForExec},
	}
	return steps.Run(list, cr.Trace, func(what string) error {
		cr.Debugf("host: %s", what)
		return nil
	})
}

// SetDeviceRules sets the device rules of the cgroup. The root of a user namespace may not do
// that, and does not need to: its containers cannot have device nodes.
func (cr *Creation) SetDeviceRules() error {
	err := cr.Cgroup.SetDevices(cr.Cfg.Cgroup.DeviceRules)
	if errors.Is(err, os.ErrPermission) && userns.Inside() {
		return nil
	}
	return err
}

// debugBuild logs what the builder is asked to do.
func (cr *Creation) debugBuild() {
	if !cr.Debugging() {
		return
	}
	cfg := cr.Cfg
	cr.Debugf("builder: root file system %s, read-only %t", cfg.Rootfs.Path, cfg.Rootfs.Readonly)
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		cr.Debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
	cr.Debugf("builder: %d devices, %d sysctls, %d masked and %d read-only paths",
		len(cfg.Devices), len(cfg.Sysctls), len(cfg.MaskedPaths), len(cfg.ReadonlyPaths))
}
