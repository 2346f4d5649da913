// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/notify"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Start makes init execute the user's program. If that fails, the error says why, and the
// container has stopped. A notifier that is not nil listens before the program starts.
func (c *Container) Start(log options.Logger, n *notify.Notifier) error {
	if err := c.release(log, n); err != nil {
		return err
	}
	if len(c.rec.Saved.Poststart) == 0 || !c.mayRunHooks(log) {
		return nil
	}
	c.rec.Debugf("start: %d poststart hooks", len(c.rec.Saved.Poststart))
	state := c.rec.HookState(specs.StateRunning)
	if !poststartIsFatal(c.rec.Saved.OCIVersion) {
		hooks.WarnTo(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr, "poststart", c.rec.Saved.Poststart, state, log, c.rec.Trace)
		return nil
	}
	out, err := hooks.OpenOutput(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr)
	if err == nil {
		err = hooks.Run("poststart", c.rec.Saved.Poststart, state, out, nil, c.rec.Trace)
		out.Close()
	}
	if err == nil {
		return nil
	}
	if kerr := c.Signal(unix.SIGKILL, false); kerr != nil && !errors.Is(kerr, record.ErrNotRunning) {
		log.Warnf("kill after a failed poststart hook: %v", kerr)
	}
	return err
}

// poststartIsFatal reports whether a failed poststart hook stops the container. Since version 1.3
// of the runtime-spec (runtime.md, Lifecycle, step 9) it does; up to 1.2 it causes a warning.
func poststartIsFatal(ociVersion string) bool {
	major, rest, _ := strings.Cut(ociVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	const fatalSince = 3
	m, err := strconv.Atoi(minor)
	return err == nil && major == "1" && m >= fatalSince
}

// release starts the program while it holds the container's lock. Of two starts, one wins and the
// other one finds the container running.
func (c *Container) release(log options.Logger, n *notify.Notifier) error {
	c.rec.Debugf("start: take the lock")
	span := c.rec.Begin("take the lock")
	lock, err := c.rec.Lock()
	if span.End(err) != nil {
		return err
	}
	defer lock.Unlock()
	if c.rec.Saved.PID == 0 { // it was being created when c was loaded
		if err := c.rec.Reload(); err != nil {
			return err
		}
	}
	span = c.rec.Begin("find out how init is")
	status, err := c.rec.Status()
	if span.End(err) != nil {
		return err
	}
	c.rec.Debugf("start: it is %s", status)
	switch status {
	case specs.StateCreated:
	case specs.StateRunning:
		_ = c.rec.RemoveFifos()
		return errRunning
	case specs.StateStopped:
		return c.explainStopped(errStoppedBefore, nil)
	default:
		return codes.With(codes.ContainerUnready, fmt.Errorf("cannot start a container in the %s state", status))
	}
	// Under the lock, because two starts would remove each other's socket.
	if err := n.Listen(c.rec); err != nil {
		return err
	}
	span = c.rec.Begin("let init go on")
	return span.End(c.letGo(log))
}

// The texts are runc's.
var (
	errRunning       = codes.New(codes.ContainerRunning, "cannot start an already running container")
	errStoppedBefore = codes.New(codes.ContainerStopped, "cannot start a container that has stopped")
)

// letGo makes init continue. It opens nothing that blocks, so it cannot hang if init dies in
// between. If a fifo cannot be removed afterwards, that does no harm, because the status
// depends on init as well.
func (c *Container) letGo(log options.Logger) error {
	pidfd, err := c.rec.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return c.explainStopped(errStoppedBefore, nil)
	}
	if err != nil {
		return err
	}
	defer pidfd.Close()
	c.rec.Debugf("start: let init %d go on: startContainer hooks, exec", c.rec.Saved.PID)
	startErr := c.passFifos(pidfd)
	if startErr == nil {
		c.rec.Debugf("start: init %d: the program runs", c.rec.Saved.PID)
	}
	for _, err := range c.rec.RemoveFifos() {
		if startErr == nil {
			log.Warnf("%v", err)
		}
	}
	if errors.Is(startErr, nsenter.ErrStarted) {
		return errRunning
	}
	return c.explainStopped(startErr, pidfd)
}

// passFifos tells init to continue and waits for its report. It opens the report first: what init
// writes while nobody has the fifo open is lost when init ends.
func (c *Container) passFifos(pidfd *os.File) error {
	reports, err := c.rec.OpenFifo(record.ReportFile, unix.O_RDONLY)
	if err != nil {
		return err
	}
	// Not an os.File: for a non-blocking one Go would set up its poller.
	defer unix.Close(reports)
	fifo, err := c.rec.OpenFifo(record.FifoFile, unix.O_WRONLY)
	// If nobody reads, init has continued or has ended; AwaitExec finds out which.
	if err != nil && !errors.Is(err, unix.ENXIO) {
		return err
	}
	if err == nil {
		defer unix.Close(fifo)
		if err := nsenter.LetGo(fifo); err != nil {
			return &os.PathError{Op: "write", Path: c.rec.Path(record.FifoFile), Err: err}
		}
	}
	span := c.rec.Trace.Begin(trace.Init, "startContainer hooks, exec of the program")
	return span.End(nsenter.AwaitExec(reports, c.rec.Saved.PID, pidfd))
}

// explainStopped adds to the error of a start why init has died, if that can still be found out.
// pidfd refers to init; it is nil if init had ended before.
func (c *Container) explainStopped(err error, pidfd *os.File) error {
	if !errors.Is(err, nsenter.ErrInitGone) && !errors.Is(err, errStoppedBefore) {
		if err != nil {
			err = initproc.ExplainProgram(err, nil, nil, c.filter())
		}
		return err
	}
	if pidfd == nil {
		// Without the fifo it was not init that ended, but the program.
		if _, serr := os.Lstat(c.rec.Path(record.FifoFile)); serr != nil {
			return err
		}
	}
	ws, werr := c.zombieStatus()
	if errors.Is(werr, record.ErrNotRunning) && pidfd != nil {
		ws, werr = procs.ReapedStatus(pidfd)
	}
	if werr != nil {
		return err
	}
	return initproc.ExplainEnd(err, ws, c.filter())
}

// filter returns the container's filter, to explain an error; nil if there is none.
func (c *Container) filter() []byte {
	if !c.rec.Saved.Filtered {
		return nil
	}
	filter, _, _ := sysfile.ReadOwned(c.rec.Path(record.FilterFile))
	return filter
}

// mayRunHooks reports whether the hooks in the state may be run. Root does not run those of an
// ordinary user's container: they could do anything as root.
func (c *Container) mayRunHooks(log options.Logger) bool {
	if userns.Unprivileged() || c.rec.Saved.Owner == 0 {
		return true
	}
	log.Warnf("the hooks of container %s are not run: its state is that of user %d", c.rec.ID, c.rec.Saved.Owner)
	return false
}
