// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

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

// captureOutput makes a pipe for a hook to write to, of which the beginning is kept, and
// the rest read and forgotten. end returns that for an error message, once the hook has
// ended; what the hook has left running may still hold the pipe.
func captureOutput() (end func() string, w *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	var kept boundedBuffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&kept, r)
	}()
	end = func() string {
		_ = r.SetReadDeadline(time.Now().Add(hookOutputGrace))
		<-done
		_ = r.Close()
		return kept.suffix()
	}
	return end, w, nil
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
