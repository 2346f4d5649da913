// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// runCreateHooks runs the hooks that stand between the mounts and the pivot, in the
// order of the runtime-spec: prestart and createRuntime in the runtime's namespaces,
// createContainer in the container's.
func (cr *creation) runCreateHooks() error {
	if !hasCreateHooks(cr.cfg) {
		return nil
	}
	if err := cr.runRuntimeHooks(); err != nil {
		return err
	}
	return cr.runContainerHooks(cr.cfg.Hooks.CreateContainer, cr.hookState(specs.StateCreating))
}

// runRuntimeHooks runs those of the runtime's namespaces. From then on a failure runs the
// poststop hooks.
func (cr *creation) runRuntimeHooks() error {
	h := &cr.cfg.Hooks
	if !hasCreateHooks(cr.cfg) {
		return nil
	}
	if !cr.hooked {
		// What hooks put into the cgroup outlives this process, if it is killed.
		if err := cr.Saved.Write(cr.Dir); err != nil {
			return err
		}
		cr.hooked = true
		cr.undo.Push("run poststop hooks", func() error {
			warnHooks("poststop", h.Poststop, cr.hookState(specs.StateStopped), cr.hookOut, cr.opts.Log)
			return nil
		})
	}
	state := cr.hookState(specs.StateCreating)
	cr.Debugf("hooks: %d prestart, %d createRuntime", len(h.Prestart), len(h.CreateRuntime))
	if err := runHooks("prestart", h.Prestart, state, cr.hookOut, cr.opts.Interrupts); err != nil {
		return err
	}
	return runHooks("createRuntime", h.CreateRuntime, state, cr.hookOut, cr.opts.Interrupts)
}

// hasCreateHooks says whether hooks run between the mounts and the pivot.
func hasCreateHooks(cfg *configs.Config) bool {
	h := &cfg.Hooks
	return len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}

// runContainerHooks runs createContainer hooks: inside the container's namespaces,
// with the root file system still the host's, since the pivot comes later. They are
// started by init's program, so that no process of this binary, whose memory a
// container must never reach, is ever in the container's pid namespace.
func (cr *creation) runContainerHooks(hooks []specs.Hook, state *specs.State) error {
	if len(hooks) == 0 {
		return nil
	}
	cr.Debugf("hooks: %d createContainer", len(hooks))
	stdin := ocispec.WriteState(state)
	for i := range hooks {
		if err := cr.runContainerHook(&hooks[i], stdin); err != nil {
			return hookError("createContainer", i, fmt.Errorf("%s: %w", hooks[i].Path, err))
		}
	}
	return nil
}

// runContainerHook runs one of them to its end or its timeout.
func (cr *creation) runContainerHook(h *specs.Hook, stdin []byte) error {
	in, err := sysfile.Memfile("hook-stdin", stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	output, w, err := captureOutput()
	if err != nil {
		return err
	}
	proc, err := cr.startContainerHook(h, cr.cfg.Bundle, in, w)
	var step *nsenter.StepError
	if errors.As(err, &step) && step.Step == nsenter.StepChdir {
		// The container's root may not get at the bundle, which an engine keeps to itself.
		proc, err = cr.startContainerHook(h, "/", in, w)
	}
	_ = w.Close()
	if err != nil {
		_ = output()
		return err
	}
	defer proc.Close()
	timedOut := false
	err = cr.opts.Interrupts.During(func() (err error) {
		timedOut, err = procs.AwaitExitFor(proc.PIDFD, h.Timeout)
		return err
	}, func() { _ = unix.Kill(-proc.PID, unix.SIGKILL) })
	if timedOut || err != nil {
		// What it has started as well: it leads a session, and so a process group.
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

// startContainerHook execs the hook in the container's namespaces, in the directory cwd.
func (cr *creation) startContainerHook(h *specs.Hook, cwd string, in, out *os.File) (*nsenter.Init, error) {
	o := &nsenter.Options{Stdio: [3]*os.File{in, cmp.Or(cr.hookOut.stdout, out), cmp.Or(cr.hookOut.stderr, out)}}
	// Time cannot be joined through a pidfd together with others on older kernels, and no
	// hook cares.
	kinds := builderNamespaces | configs.NewUser
	if cr.cfg.Namespaces.IsNew(configs.NewPID) {
		// Nobody but init is in there. Others could trace the hook in one that is
		// shared, which has the rights and the files of the host.
		kinds |= configs.NewPID
	}
	o.OwnerUID, o.OwnerGID = owner(cr.cfg)
	o.Joins = cr.within.joins(kinds)
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
		return nil, errors.Join(err, proc.Abort())
	}
	return proc, nil
}
