// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
)

// creation is a create in progress.
type creation struct {
	*record.Record
	cfg  *configs.Config
	opts *options.Create
	undo steps.Undo

	claim   *record.Lock
	console *receiver    // of ConsoleSocket
	pidfdTo [2]*receiver // of PIDFDSocket and the plan's PIDFDReceiver
	agent   *receiver    // of the seccomp profile's listenerPath
	hookOut hookOutput
	extra   []*os.File
	cgroup  cgroups.Manager
	place   *cgroups.Placement
	init    *nsenter.Init
	// procContexts are of a pid namespace that is joined.
	procContexts []*os.File
	within       *initNamespaces
	built        *built
	limited      chan struct{} // closed when the limits of the cgroup are set, or never will be
	filter       *seccomp.Program
	devices      *network.Moved
	resctrl      *resctrl.Group // nil for none
	hooked       bool           // hooks have begun to run, so poststop hooks must
	reaped       unix.WaitStatus
}

func newCreation(r *record.Record, cfg *configs.Config, o *options.Create) *creation {
	return &creation{Record: r, cfg: cfg, opts: o}
}

// do does one step after the other, until one fails or the caller is told to end.
func (cr *creation) do(list []steps.Step) error {
	err := steps.Run(list, func(what string) error {
		cr.Debugf("%s", what)
		return cr.opts.Interrupts.Check()
	})
	if err != nil {
		return cr.fail(err)
	}
	return nil
}

// release closes what the process itself no longer needs, in success and failure.
func (cr *creation) release() {
	cr.console.close()
	for _, r := range cr.pidfdTo {
		r.close()
	}
	cr.agent.close()
	cr.hookOut.close()
	if cr.place != nil {
		_ = cr.place.Close()
	}
	for _, f := range cr.extra {
		_ = f.Close()
	}
	for _, f := range cr.procContexts {
		_ = f.Close()
	}
	cr.within.close()
	_ = cr.devices.Close()
	if cr.built != nil {
		cr.built.close()
	}
	if cr.init != nil {
		_ = cr.init.Close()
	}
	if cr.claim != nil {
		cr.claim.Unlock()
	}
}

// fail undoes what was done and explains why init died if that is the cause.
func (cr *creation) fail(err error) error {
	err = cr.undo.Run(err)
	err = explainKernel(err)
	if !errors.Is(err, nsenter.ErrInitGone) {
		return err
	}
	if m := cr.cfg.Cgroup.Resources.Memory; procs.WasKilled(cr.reaped) && m != nil && m.Limit != nil && *m.Limit > 0 {
		return fmt.Errorf("%w: container init was OOM-killed (memory limit too low?): linux.resources.memory.limit is %d",
			err, *m.Limit)
	}
	var filter []byte
	if cr.filter != nil {
		filter = cr.filter.BPF
	}
	return explainEnd(err, cr.reaped, filter)
}

// openCallerFiles meets first what the caller may have got wrong, before anything is
// made: sockets nobody listens on, fds that are not open.
func (cr *creation) openCallerFiles() (err error) {
	if cr.console, err = dialReceiver("console socket", cr.opts.ConsoleSocket); err != nil {
		return err
	}
	if cr.pidfdTo[0], err = dialReceiver("pidfd socket", cr.opts.PIDFDSocket); err != nil {
		return err
	}
	if cr.pidfdTo[1], err = dialReceiver("run.oci.pidfd_receiver", cr.cfg.PIDFDReceiver); err != nil {
		return err
	}
	if cr.hookOut, err = openHookOutput(cr.cfg.HookStdout, cr.cfg.HookStderr); err != nil {
		return err
	}
	if cr.agent, err = dialAgent(cr.cfg.Seccomp); err != nil {
		return err
	}
	cr.extra, err = preservedFiles(cr.opts.PreserveFDs)
	return err
}
