// SPDX-License-Identifier: Apache-2.0

// Package create creates a container, step by step, so that only its start is missing. A restore
// uses most of the steps as well.
package create

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
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

// Creation is a create in progress. Its exported methods are the steps.
type Creation struct {
	*record.Record
	Cfg  *configs.Config
	Opts *options.Create
	Undo steps.Undo

	claim   *record.Lock
	console *handover.Receiver    // of ConsoleSocket
	pidfdTo [2]*handover.Receiver // of PIDFDSocket and the plan's PIDFDReceiver
	agent   *handover.Receiver    // of the seccomp profile's listenerPath
	hookOut hooks.Output
	extra   []*os.File
	Cgroup  cgroups.Manager
	Place   *cgroups.Placement
	Init    *nsenter.Init
	// procContexts are procfs contexts of a pid namespace that is joined.
	procContexts []*os.File
	within       *builder.InitNamespaces
	ownTree      bool // the mount namespace is one of builder.NewMountNamespace
	Built        *builder.Built
	limited      chan struct{} // closed when the limits of the cgroup are set, or never will be
	Filter       *seccomp.Program
	devices      *network.Moved
	Resctrl      *resctrl.Group // nil for none
	hooked       bool           // hooks have begun to run, so poststop hooks must
	reaped       unix.WaitStatus
}

// New prepares the creation of a container. Nothing is made yet.
func New(r *record.Record, cfg *configs.Config, o *options.Create) *Creation {
	return &Creation{Record: r, Cfg: cfg, Opts: o}
}

// Do runs one step after the other until a step fails or a signal asks the command to end. Then it
// undoes what the steps have done.
func (cr *Creation) Do(list []steps.Step) error {
	err := steps.Run(list, cr.Trace, func(what string) error {
		cr.Debugf("%s", what)
		return cr.Opts.Interrupts.Check()
	})
	if err != nil {
		return cr.fail(err)
	}
	return nil
}

// Release closes what this process no longer needs, after success and failure alike.
func (cr *Creation) Release() {
	cr.console.Close()
	for _, r := range cr.pidfdTo {
		r.Close()
	}
	cr.agent.Close()
	cr.hookOut.Close()
	if cr.Place != nil {
		_ = cr.Place.Close()
	}
	for _, f := range cr.extra {
		_ = f.Close()
	}
	for _, f := range cr.procContexts {
		_ = f.Close()
	}
	cr.within.Close()
	_ = cr.devices.Close()
	if cr.Built != nil {
		cr.Built.Close()
	}
	if cr.Init != nil {
		_ = cr.Init.Close()
	}
	if cr.claim != nil {
		cr.claim.Unlock()
	}
}

// fail undoes what was done. If init's death is the cause, it explains that.
func (cr *Creation) fail(err error) error {
	span := cr.Begin("undo what was done")
	err = cr.undo(err)
	_ = span.End(nil)
	err = initproc.ExplainKernel(err)
	if !errors.Is(err, nsenter.ErrInitGone) {
		return err
	}
	if m := cr.Cfg.Cgroup.Resources.Memory; procs.WasKilled(cr.reaped) && m != nil && m.Limit != nil && *m.Limit > 0 {
		return fmt.Errorf("%w: container init was OOM-killed (memory limit too low?): linux.resources.memory.limit is %d",
			err, *m.Limit)
	}
	var filter []byte
	if cr.Filter != nil {
		filter = cr.Filter.BPF
	}
	return initproc.ExplainEnd(err, cr.reaped, filter)
}

// undo undoes what was done, on a thread that is on the host.
func (cr *Creation) undo(err error) error {
	if !errors.As(err, new(*builder.Astray)) {
		return cr.Undo.Run(err)
	}
	undone := make(chan error)
	go func() { undone <- cr.Undo.Run(err) }()
	return <-undone
}

// OpenCallerFiles opens the sockets and files that the caller has named. It comes before anything
// is made, because these are what callers get wrong: nobody listens on a socket, a descriptor
// is not open.
func (cr *Creation) OpenCallerFiles() (err error) {
	if cr.console, err = handover.Dial("console socket", cr.Opts.ConsoleSocket); err != nil {
		return err
	}
	if cr.pidfdTo[0], err = handover.Dial("pidfd socket", cr.Opts.PIDFDSocket); err != nil {
		return err
	}
	if cr.pidfdTo[1], err = handover.Dial("run.oci.pidfd_receiver", cr.Cfg.PIDFDReceiver); err != nil {
		return err
	}
	if cr.hookOut, err = hooks.OpenOutput(cr.Cfg.HookStdout, cr.Cfg.HookStderr); err != nil {
		return err
	}
	if cr.agent, err = handover.DialAgent(cr.Cfg.Seccomp); err != nil {
		return err
	}
	cr.extra, err = handover.Preserved(cr.Opts.PreserveFDs)
	return err
}
