// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
)

// restoreOptions are the options of restore.
type restoreOptions struct {
	bundle bundleOptions
	criu   criuOptions

	detach      bool
	noSubreaper bool
	tcpClose    bool
	lsmProfile  string
	lsmMount    string
}

func (a *app) restoreCommand() *command.Command {
	var o restoreOptions
	c := &command.Command{
		Use:   "restore [flags] CONTAINER",
		Short: "make a container of a checkpoint",
		Long: `Makes a container of the bundle and of the processes that "checkpoint" has saved,
waits for it and deletes it. The exit status is that of the container's first process,
128+n when signal n killed it.`,
		Args:     a.arguments(1, 1),
		Complete: command.CompleteNothing,
		Run: func(args []string) (err error) {
			if o.detach {
				_, err = a.restore(args[0], &o, nil)
				return err
			}
			a.exitStatus, err = a.restoreForeground(args[0], &o)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.bundle.bundle, "bundle", "b", ".", "take the bundle from `DIR`")
	f.StringVar(&o.bundle.consoleSocket, "console-socket", "", "send the terminal's master to the unix socket `PATH`")
	f.StringVar(&o.bundle.pidFile, "pid-file", "", "write the pid of the container's init to `FILE`")
	o.bundle.declareNetwork(f)
	f.BoolVar(&o.bundle.noPivot, "no-pivot", false, "accepted for old callers: how the root is entered is up to criu")
	f.BoolVarP(&o.detach, "detach", "d", false, "return as soon as the processes run")
	f.BoolVar(&o.noSubreaper, "no-subreaper", false, "do not reap the container's orphaned processes")
	o.criu.declare(f, "restored")
	f.BoolVar(&o.tcpClose, "tcp-close", false, "restore open TCP connections as closed ones")
	f.StringVar(&o.lsmProfile, "lsm-profile", "", "restore under `TYPE:LABEL`, TYPE being apparmor or selinux, instead of what was saved")
	f.StringVar(&o.lsmMount, "lsm-mount-context", "", "mount with the SELinux label `LABEL` what was mounted with one")
	return c
}

// restore restores a container. The terminal is nil when it is detached.
func (a *app) restore(id string, o *restoreOptions, t *terminal.Terminal) (*libcontainer.Container, error) {
	if err := o.criu.complete(a); err != nil {
		return nil, err
	}
	if err := checkLSMProfile(o.lsmProfile); err != nil {
		return nil, err
	}
	p, err := a.prepare(&o.bundle, t == nil)
	if err != nil {
		return nil, err
	}
	// The processes have what they had.
	p.create.PreserveFDs, p.create.ListenFDs, p.create.Notify = 0, libcontainer.ListenFDs{}, false
	if err := a.prepareRoot(); err != nil {
		return nil, err
	}
	options := &libcontainer.RestoreOptions{
		Create: p.create, CRIU: o.criu.CriuOptions,
		TCPClose: o.tcpClose, LSMProfile: o.lsmProfile, LSMMountContext: o.lsmMount,
	}
	if t != nil && p.config.Process.Terminal {
		options.Console = t.Attach
	}
	var c *libcontainer.Container
	err = p.interruptible(func() error {
		options.Interrupts = p.create.Interrupts
		c, err = p.store.Restore(id, p.config, options)
		return err
	})
	return c, err
}

// restoreForeground stays with the container until its first process has exited.
func (a *app) restoreForeground(id string, o *restoreOptions) (int, error) {
	caught, err := catchEarly()
	if err != nil {
		return exitFailure, err
	}
	if !o.noSubreaper {
		if err := libcontainer.BecomeSubreaper(); err != nil {
			return exitFailure, err
		}
	}
	t := &terminal.Terminal{Stdin: a.stdin, Stdout: a.stdout}
	defer t.Restore()
	c, err := a.restore(id, o, t)
	if err != nil {
		return exitFailure, err
	}
	return a.stay(c, t, caught, false)
}

// checkLSMProfile checks the form of --lsm-profile.
func checkLSMProfile(text string) error {
	if text == "" {
		return nil
	}
	kind, label, ok := strings.Cut(text, ":")
	if !ok || label == "" || kind != "apparmor" && kind != "selinux" {
		return fmt.Errorf("--lsm-profile: %q: want apparmor:PROFILE or selinux:LABEL", text)
	}
	return nil
}
