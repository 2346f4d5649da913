// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxHookOutput bounds what is kept of a hook's output for the error message.
const maxHookOutput = 4096

// hookOutputGrace is how long a hook's output is awaited once the hook itself is
// gone: a daemon it left behind may hold the pipe open for ever.
const hookOutputGrace = 100 * time.Millisecond

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

// runHooks runs hooks of one kind in the runtime's namespaces and stops at the first
// that fails.
func runHooks(kind string, hooks []specs.Hook, state *specs.State, out hookOutput, in *options.Interrupts) error {
	if len(hooks) == 0 {
		return nil
	}
	stdin := ocispec.WriteState(state)
	for i := range hooks {
		ctx, stop := context.WithCancel(context.Background())
		err := in.During(func() error { return runHook(ctx, &hooks[i], stdin, out) }, stop)
		stop()
		if err != nil {
			return hookError(kind, i, err)
		}
	}
	return nil
}

// hookError names the hook that failed, with the field and in runc's words.
func hookError(kind string, i int, err error) error {
	return fmt.Errorf("hooks.%s[%d]: "+configs.PhraseHook+" #%d: %w", kind, i, kind, i, err)
}

// warnHooks runs every hook of one kind, and only warns about those that fail.
func warnHooks(kind string, hooks []specs.Hook, state *specs.State, out hookOutput, log options.Logger) {
	if len(hooks) == 0 {
		return
	}
	stdin := ocispec.WriteState(state)
	for i := range hooks {
		if err := runHook(context.Background(), &hooks[i], stdin, out); err != nil {
			log.Warnf("%v", hookError(kind, i, err))
		}
	}
}

// runHook runs one hook to its end, that of ctx or its timeout. It leads a process group of
// its own, so that a timeout ends what it has started as well. And it ends with this process,
// which is killed: nobody would be there for what it says.
func runHook(ctx context.Context, h *specs.Hook, stdin []byte, files hookOutput) error {
	// The kernel means the thread that forks, and Go ends threads as it likes.
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
	// Without an env in the config the hook gets the runtime's, as with the peers.
	cmd.Env = h.Env
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &out, &out
	if files.stdout != nil {
		cmd.Stdout = files.stdout
	}
	if files.stderr != nil {
		cmd.Stderr = files.stderr
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = hookOutputGrace
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: "+configs.PhraseHookTimeout+"%s", h.Path, float64(*h.Timeout), out.suffix())
	}
	return fmt.Errorf("%s: %w%s", h.Path, err, out.suffix())
}

// boundedBuffer keeps the first and the last bytes written to it, a half of maxHookOutput
// each, and forgets what is between them: many programs begin with what they are about to
// do, and end with why they could not.
type boundedBuffer struct {
	head, tail []byte
	forgotten  int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	const half = maxHookOutput / 2
	room := min(half-len(b.head), len(p))
	b.head = append(b.head, p[:room]...)
	b.tail = append(b.tail, p[room:]...)
	if excess := len(b.tail) - half; excess > 0 {
		b.tail = append(b.tail[:0], b.tail[excess:]...)
		b.forgotten += excess
	}
	return len(p), nil
}

// suffix is the output for an error message.
func (b *boundedBuffer) suffix() string {
	gap := ""
	if b.forgotten > 0 {
		gap = fmt.Sprintf("\n[%d bytes left out]\n", b.forgotten)
	}
	s := strings.TrimSpace(string(b.head) + gap + string(b.tail))
	if s == "" {
		return ""
	}
	return fmt.Sprintf(", output: %q", s)
}

// mayRunHooks says whether the hooks that the state names are run: not those of an ordinary
// user by root, for whom they would do what they like.
func (c *Container) mayRunHooks(log options.Logger) bool {
	if unprivileged() || c.rec.Saved.Owner == 0 {
		return true
	}
	log.Warnf("the hooks of container %s are not run: its state is that of user %d", c.rec.ID, c.rec.Saved.Owner)
	return false
}

// hasCreateHooks says whether hooks run between the mounts and the pivot.
func hasCreateHooks(cfg *configs.Config) bool {
	h := &cfg.Hooks
	return len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}
