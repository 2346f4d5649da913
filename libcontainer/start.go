// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/hooks"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/notify"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Start lets init exec the user's program. When that fails, the error says why; the
// container has then stopped. The notifier, if not nil, hears the container from its first
// moment on.
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
		hooks.WarnTo(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr, "poststart", c.rec.Saved.Poststart, state, log)
		return nil
	}
	out, err := hooks.OpenOutput(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr)
	if err == nil {
		err = hooks.Run("poststart", c.rec.Saved.Poststart, state, out, nil)
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

// poststartIsFatal says whether a failed poststart hook stops the container. It does
// since version 1.3 of the runtime-spec (runtime.md, Lifecycle, step 9); up to 1.2 it
// is a warning, and the container goes on.
func poststartIsFatal(ociVersion string) bool {
	major, rest, _ := strings.Cut(ociVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	const fatalSince = 3
	m, err := strconv.Atoi(minor)
	return err == nil && major == "1" && m >= fatalSince
}

// release lets init go on, under the container's lock, so that of two starts one
// wins and the other one learns that the container runs.
func (c *Container) release(log options.Logger, n *notify.Notifier) error {
	c.rec.Debugf("start: take the lock")
	lock, err := c.rec.Lock()
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if c.rec.Saved.PID == 0 { // it was being created when c was loaded
		if err := c.rec.Reload(); err != nil {
			return err
		}
	}
	status, err := c.rec.Status()
	if err != nil {
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
		return fmt.Errorf("cannot start a container in the %s state", status)
	}
	// Under the lock, since two starts would take each other's socket away.
	if err := n.Listen(c.rec); err != nil {
		return err
	}
	return c.letGo(log)
}

// These have runc's texts.
var (
	errRunning       = errors.New("cannot start an already running container")
	errStoppedBefore = errors.New("cannot start a container that has stopped")
)

// letGo is the moment of start. No open blocks, so an init that died in between cannot
// make it hang. What cannot be removed then says nothing any more: the status goes by
// init as well.
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

// passFifos lets init go on, and waits for what it says then. The reports are opened
// first: what init says to nobody is lost with its end.
func (c *Container) passFifos(pidfd *os.File) error {
	reports, err := c.rec.OpenFifo(record.ReportFile, unix.O_RDONLY)
	if err != nil {
		return err
	}
	// No os.File: Go would set up its poller for one that does not block.
	defer unix.Close(reports)
	fifo, err := c.rec.OpenFifo(record.FifoFile, unix.O_WRONLY)
	// Nobody to read is an init that has gone on, or is gone: AwaitExec finds out.
	if err != nil && !errors.Is(err, unix.ENXIO) {
		return err
	}
	if err == nil {
		defer unix.Close(fifo)
		if err := nsenter.LetGo(fifo); err != nil {
			return &os.PathError{Op: "write", Path: c.rec.Path(record.FifoFile), Err: err}
		}
	}
	return nsenter.AwaitExec(reports, c.rec.Saved.PID, pidfd)
}

// explainStopped adds to the error of a start what the container's init has died of, as far
// as anybody still knows. pidfd is init's, nil when it was gone before.
func (c *Container) explainStopped(err error, pidfd *os.File) error {
	if !errors.Is(err, nsenter.ErrInitGone) && !errors.Is(err, errStoppedBefore) {
		return err
	}
	if pidfd == nil {
		// Only as long as the fifo is there it was init, and not the program, that has ended.
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
	var filter []byte
	if c.rec.Saved.Filtered {
		filter, _, _ = sysfile.ReadOwned(c.rec.Path(record.FilterFile))
	}
	return initproc.ExplainEnd(err, ws, filter)
}

// mayRunHooks says whether the hooks that the state names are run: not those of an ordinary
// user by root, for whom they would do what they like.
func (c *Container) mayRunHooks(log options.Logger) bool {
	if userns.Unprivileged() || c.rec.Saved.Owner == 0 {
		return true
	}
	log.Warnf("the hooks of container %s are not run: its state is that of user %d", c.rec.ID, c.rec.Saved.Owner)
	return false
}
