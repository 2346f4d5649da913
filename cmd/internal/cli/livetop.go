// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer/signals"
	"github.com/berth-run/berth/nsenter/timerslack"
)

// viewer is the program that shows a live table. It is not a part of berth, because a library for
// screens costs more at the start of every command than most commands need.
const viewer = "berth-top"

// liveTop shows the table on the terminal. Without the viewer it prints it once, and says so.
func (a *app) liveTop(o *topOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path, err := findViewer(filepath.Dir(self))
	if errors.Is(err, fs.ErrNotExist) {
		a.log.Warnf("the live view needs %s beside berth or in ../libexec/berth, where `make install` and the packages put it; this is the table, once", viewer)
		o.once = true
		return a.plainTop(o)
	}
	if err != nil {
		return err
	}
	args := []string{"--sort", o.key.Name, "--", self}
	if a.global.root != "" {
		args = append(args, "--root", a.global.root)
	}
	args = append(args, "top", "--format", "json", "--interval", o.interval.String())
	return a.runViewer(path, args)
}

// findViewer finds the viewer for a berth in dir.
func findViewer(dir string) (string, error) {
	var err error
	for _, path := range [...]string{filepath.Join(dir, viewer), filepath.Join(dir, "../libexec/berth", viewer)} {
		if err = unix.Access(path, unix.X_OK); err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", &fs.PathError{Op: "access", Path: path, Err: err}
		}
	}
	return "", err
}

// runViewer runs the viewer, which ends when berth does: if berth gets a signal, so does the viewer,
// and berth waits until it has restored the terminal. If the viewer is killed, berth restores it.
func (a *app) runViewer(path string, args []string) error {
	restore, err := terminal.Keep(a.stdin, a.stdout)
	if err != nil {
		return err
	}
	caught, err := signals.Catch(unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGCHLD)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	// If berth is killed. To the kernel, the parent is this thread.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGTERM}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerslack.Restore()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended, err := a.attendViewer(cmd.Process.Pid, caught)
	switch {
	case err != nil:
		return err
	case ended.Exited() && a.exitStatus == 0:
		a.exitStatus = ended.ExitStatus() // it has said why
	case ended.Signaled():
		return errors.Join(fmt.Errorf("%s: signal: %s", viewer, ended.Signal()), restore())
	}
	return nil
}

// attendViewer waits for the end of the viewer. Signals become berth's exit status.
func (a *app) attendViewer(pid int, caught *signals.Caught) (ended unix.WaitStatus, err error) {
	for {
		n, err := unix.Wait4(pid, &ended, unix.WNOHANG, nil)
		if n == pid || err != nil && !errors.Is(err, unix.EINTR) {
			return ended, os.NewSyscallError("wait4", err)
		}
		sig, err := caught.Next()
		if err != nil {
			return ended, err
		}
		if sig != 0 && sig != unix.SIGCHLD {
			const signalled = 128 // as in a shell
			a.exitStatus = signalled + int(sig)
			_ = unix.Kill(pid, unix.SIGTERM) // it has not been waited for, so the pid is its own
		}
	}
}
