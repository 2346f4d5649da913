// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/rootfs"
)

// buildAndPrepare lets the builder make the root file system while this goroutine
// does what has to be done on the host.
func (cr *creation) buildAndPrepare() error {
	if cr.Saved.RootfsMountID != 0 {
		cr.undo.Push("unmount the rootfs", func() error {
			return rootfs.DetachAbove(cr.Saved.Rootfs, cr.Saved.RootfsMountID)
		})
	}
	cr.limited = make(chan struct{})
	cr.debugBuild()
	b := startBuilder(&site{
		config: cr.cfg, init: cr.init, within: cr.within, cgroup: cr.cgroup, limited: cr.limited,
		procContexts: cr.procContexts, waits: cr.waitsForMounts(),
		entered: cr.checkJoinedMaps, describe: cr.describe, log: cr.opts.Log,
	})
	cr.procContexts = nil
	connected := cr.startNetwork(false)
	herr := cr.prepareHost()
	nerr := connected()
	err := b.waitMounted()
	if err == nil {
		err = herr
	}
	if err == nil {
		err = nerr
	}
	if err != nil {
		b.abort()
		return err
	}
	if err = cr.enterDelegated(); err == nil {
		err = cr.moveNetDevices()
	}
	if err == nil {
		err = cr.runCreateHooks()
	}
	if err != nil {
		b.abort()
		return err
	}
	cr.Debugf("builder: pivot, sysctls, masked and read-only paths")
	built, err := b.finish()
	cr.built = built
	return err
}

// waitsForMounts says that something is to be done between the mounts and the pivot.
func (cr *creation) waitsForMounts() bool {
	return hasCreateHooks(cr.cfg) || len(cr.cfg.NetDevices) > 0 || cr.cfg.Network != nil && setsNetwork(cr.cfg.Sysctls)
}

// prepareHost is the host's side of the work, done while the builder builds.
func (cr *creation) prepareHost() error {
	list := []steps.Step{
		{"set the limits of the cgroup", func() error {
			defer close(cr.limited)
			if err := cr.cgroup.Set(cr.cfg.Cgroup.Resources); err != nil {
				return fmt.Errorf("%s: %w", configs.PhraseSetCgroup, err)
			}
			return nil
		}},
		{"set the device rules of the cgroup", cr.setDeviceRules},
		{"delegate the cgroup", cr.delegateCgroup},
		{"set the OOM score", func() error {
			return setOOMScore(cr.init.PID, cr.cfg.Process.OOMScoreAdj, cr.cfg.Cgroup.Rootless)
		}},
		{"join the resctrl group", cr.joinResctrl},
		{"raise hard limits", func() error { return raiseRlimits(cr.init.PID, cr.cfg.Process.Rlimits) }},
		{"make the fifos", cr.MakeFifos},
		{"compile the seccomp profile", cr.compileSeccomp},
		{"keep what exec needs", cr.keepForExec},
	}
	return steps.Run(list, func(what string) error {
		cr.Debugf("host: %s", what)
		return nil
	})
}

// setDeviceRules limits the devices of the cgroup. The root of a user namespace has no
// right to, and no container of its can have device nodes.
func (cr *creation) setDeviceRules() error {
	err := cr.cgroup.SetDevices(cr.cfg.Cgroup.DeviceRules)
	if errors.Is(err, os.ErrPermission) && InUserNamespace() {
		return nil
	}
	return err
}

// debugBuild tells what the builder is asked for.
func (cr *creation) debugBuild() {
	if !cr.Debugging() {
		return
	}
	cfg := cr.cfg
	cr.Debugf("builder: root file system %s, read-only %t", cfg.Rootfs.Path, cfg.Rootfs.Readonly)
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		cr.Debugf("builder: %s: mount %s %q on %s", m.Field, m.Type, m.Source, m.Destination)
	}
	cr.Debugf("builder: %d devices, %d sysctls, %d masked and %d read-only paths",
		len(cfg.Devices), len(cfg.Sysctls), len(cfg.MaskedPaths), len(cfg.ReadonlyPaths))
}
