// SPDX-License-Identifier: Apache-2.0

package create

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// runCreateHooks runs the hooks between the mounts and the pivot in the order of the runtime-spec:
// prestart and createRuntime in the runtime's namespaces, createContainer in the container's.
func (cr *Creation) runCreateHooks() error {
	if !hasCreateHooks(cr.Cfg) {
		return nil
	}
	if err := cr.RunRuntimeHooks(); err != nil {
		return err
	}
	return cr.runContainerHooks(cr.Cfg.Hooks.CreateContainer, cr.hookState(specs.StateCreating))
}

// RunRuntimeHooks runs the prestart and createRuntime hooks. After that, a failure of the create
// runs the poststop hooks.
func (cr *Creation) RunRuntimeHooks() error {
	h := &cr.Cfg.Hooks
	if !hasCreateHooks(cr.Cfg) {
		return nil
	}
	if !cr.hooked {
		// If this process is killed, processes that hooks put into the cgroup outlive it.
		if err := cr.Saved.Write(cr.Dir); err != nil {
			return err
		}
		cr.hooked = true
		cr.Undo.Push("run poststop hooks", func() error {
			hooks.Warn("poststop", h.Poststop, cr.hookState(specs.StateStopped), cr.hookOut, cr.Opts.Log, cr.Trace)
			return nil
		})
	}
	state := cr.hookState(specs.StateCreating)
	cr.Debugf("hooks: %d prestart, %d createRuntime", len(h.Prestart), len(h.CreateRuntime))
	if err := hooks.Run("prestart", h.Prestart, state, cr.hookOut, cr.Opts.Interrupts, cr.Trace); err != nil {
		return err
	}
	return hooks.Run("createRuntime", h.CreateRuntime, state, cr.hookOut, cr.Opts.Interrupts, cr.Trace)
}

// hasCreateHooks reports whether any hooks run between the mounts and the pivot.
func hasCreateHooks(cfg *configs.Config) bool {
	h := &cfg.Hooks
	return len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}

// runContainerHooks runs createContainer hooks in the container's namespaces. The root file system
// is still the host's, because the pivot comes later. Init's program starts them, so that
// no process of this binary is ever in the container's pid namespace: a container must not
// reach its memory.
func (cr *Creation) runContainerHooks(list []specs.Hook, state *specs.State) error {
	if len(list) == 0 {
		return nil
	}
	cr.Debugf("hooks: %d createContainer", len(list))
	stdin := ocispec.WriteState(state)
	for i := range list {
		span := hooks.Begin(cr.Trace, "createContainer", i, list[i].Path)
		if err := span.End(cr.runContainerHook(&list[i], stdin)); err != nil {
			return hooks.Error("createContainer", i, fmt.Errorf("%s: %w", list[i].Path, err))
		}
	}
	return nil
}

// runContainerHook runs one hook until it ends or its timeout expires.
func (cr *Creation) runContainerHook(h *specs.Hook, stdin []byte) error {
	in, err := sysfile.Memfile("hook-stdin", stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	output, w, err := hooks.Capture()
	if err != nil {
		return err
	}
	proc, err := cr.startContainerHook(h, cr.Cfg.Bundle, in, w)
	var step *nsenter.StepError
	if errors.As(err, &step) && step.Step == nsenter.StepChdir {
		// The container's root may not be allowed to enter the bundle.
		proc, err = cr.startContainerHook(h, "/", in, w)
	}
	_ = w.Close()
	if err != nil {
		_ = output()
		return initproc.ExplainProgram(err, nil, nil, nil)
	}
	defer proc.Close()
	timedOut := false
	err = cr.Opts.Interrupts.During(func() (err error) {
		timedOut, err = procs.AwaitExitFor(proc.PIDFD, h.Timeout)
		return err
	}, func() { _ = unix.Kill(-proc.PID, unix.SIGKILL) })
	if timedOut || err != nil {
		// The hook leads a process group, so this kills what it has started as well.
		_ = unix.Kill(-proc.PID, unix.SIGKILL)
	}
	ws, rerr := procs.Reap(proc.PID)
	said := output()
	switch err = errors.Join(err, rerr); {
	case err != nil:
		return err
	case timedOut:
		return fmt.Errorf(configs.PhraseHookTimeout+"%s", float64(*h.Timeout), said)
	case ws.Signaled():
		return fmt.Errorf("killed by signal %v%s", ws.Signal(), said)
	case ws.ExitStatus() != 0:
		return fmt.Errorf("exit status %d%s", ws.ExitStatus(), said)
	}
	return nil
}

// startContainerHook executes the hook in the container's namespaces and the directory cwd.
func (cr *Creation) startContainerHook(h *specs.Hook, cwd string, in, out *os.File) (*nsenter.Init, error) {
	o := &nsenter.Options{Stdio: [3]*os.File{in, cmp.Or(cr.hookOut.Stdout, out), cmp.Or(cr.hookOut.Stderr, out)}}
	// On older kernels a time namespace cannot be joined through a pidfd together with
	// others. Hooks do not need it.
	kinds := builder.Kinds | configs.NewUser
	if cr.Cfg.Namespaces.IsNew(configs.NewPID) {
		// Only init is in a new pid namespace. In a shared one, other processes could
		// trace the hook, which has rights and files of the host.
		kinds |= configs.NewPID
	}
	o.OwnerUID, o.OwnerGID = userns.Owner(cr.Cfg)
	o.Joins = cr.within.Joins(kinds)
	proc, err := nsenter.Start(o)
	if err != nil {
		return nil, err
	}
	args, env := h.Args, h.Env
	if len(args) == 0 {
		args = []string{h.Path}
	}
	if env == nil {
		env = os.Environ()
	}
	plan := &nsenter.Plan{Path: h.Path, Args: args, Env: env, Cwd: cwd, KeepCredentials: true, NewSession: true}
	if _, err = proc.Namespaces(); err == nil {
		err = proc.Configure(plan)
	}
	if err == nil {
		err = proc.Proceed()
	}
	if err != nil {
		return nil, errors.Join(err, proc.Abort(), proc.Close())
	}
	return proc, nil
}
