// SPDX-License-Identifier: Apache-2.0

// Package hooks runs hooks in the runtime's namespaces, and keeps their output.
package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter/timerslack"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxOutput bounds how much of a hook's output is kept for the error message.
const maxOutput = 4096

// outputGrace is how long to wait for a hook's output once the hook itself has ended: a daemon
// that it left behind may keep the pipe open forever.
const outputGrace = 100 * time.Millisecond

// Run runs hooks of one kind in the runtime's namespaces. It stops at the first that fails.
func Run(kind string, hooks []specs.Hook, state *specs.State, out Output, in *options.Interrupts, t *trace.Trace) error {
	if len(hooks) == 0 {
		return nil
	}
	stdin := ocispec.WriteState(state)
	for i := range hooks {
		ctx, stop := context.WithCancel(context.Background())
		span := Begin(t, kind, i, hooks[i].Path)
		err := in.During(func() error { return runOne(ctx, &hooks[i], stdin, out) }, stop)
		stop()
		if span.End(err) != nil {
			return Error(kind, i, err)
		}
	}
	return nil
}

// Begin begins the phase of a hook.
func Begin(t *trace.Trace, kind string, i int, path string) trace.Span {
	if t == nil {
		return trace.Span{}
	}
	return t.Begin(trace.Runtime, fmt.Sprintf("hooks.%s[%d] %s", kind, i, path))
}

// Error names the hook that failed, with the field and in runc's words.
func Error(kind string, i int, err error) error {
	return codes.With(codes.HookFailed, fmt.Errorf("hooks.%s[%d]: "+configs.PhraseHook+" #%d: %w", kind, i, kind, i, err))
}

// Warn runs every hook of one kind, and logs warnings about those that fail.
func Warn(kind string, hooks []specs.Hook, state *specs.State, out Output, log options.Logger, t *trace.Trace) {
	if len(hooks) == 0 {
		return
	}
	stdin := ocispec.WriteState(state)
	for i := range hooks {
		span := Begin(t, kind, i, hooks[i].Path)
		if err := span.End(runOne(context.Background(), &hooks[i], stdin, out)); err != nil {
			log.Warnf("%v", Error(kind, i, err))
		}
	}
}

// runOne runs one hook until it ends, or ctx is done, or its timeout expires. The hook leads
// its own process group, so that a timeout also kills what it has started. If this process is
// killed, the hook is killed with it: nobody would receive what it reports.
func runOne(ctx context.Context, h *specs.Hook, stdin []byte, files Output) error {
	// The kernel watches the thread that forks, and Go may end any thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if h.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*h.Timeout)*time.Second)
		defer cancel()
	}
	var out boundedBuffer
	cmd := exec.CommandContext(ctx, h.Path)
	if len(h.Args) > 0 {
		cmd.Args = h.Args
	}
	// Without an env in the config the hook gets the runtime's, as with runc and crun.
	cmd.Env = h.Env
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &out, &out
	if files.Stdout != nil {
		cmd.Stdout = files.Stdout
	}
	if files.Stderr != nil {
		cmd.Stderr = files.Stderr
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = outputGrace
	timerslack.Restore()
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: "+configs.PhraseHookTimeout+"%s", h.Path, float64(*h.Timeout), out.suffix())
	}
	return fmt.Errorf("%s: %w%s", h.Path, access.ExplainMissing(h.Path, err), out.suffix())
}
