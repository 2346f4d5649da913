// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/foreground"
	"github.com/berth-run/berth/cmd/internal/options"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer"
)

// restoreOptions are the options of restore.
type restoreOptions struct {
	bundle bundleOptions
	criu   options.CRIU

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
		Short: "create a container from a checkpoint",
		Long: `Creates a container from the bundle and from the processes that "checkpoint" has saved,
waits for it and deletes it. The exit status is that of the container's first process,
or 128+n if signal n killed it.`,
		Example:  `  berth restore --detach --image-path /var/tmp/box box`,
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
	f.StringVarP(&o.bundle.bundle, "bundle", "b", ".", "read the bundle in `DIR`")
	f.StringVar(&o.bundle.consoleSocket, "console-socket", "", "send the master of the terminal to the unix socket `PATH`")
	f.StringVar(&o.bundle.pidFile, "pid-file", "", "write the pid of the container's init to `FILE`")
	o.bundle.declareNetwork(f)
	f.BoolVar(&o.bundle.noPivot, "no-pivot", false, "accepted for compatibility; criu decides how to enter the root")
	f.BoolVarP(&o.detach, "detach", "d", false, "return as soon as the processes run")
	f.BoolVar(&o.noSubreaper, "no-subreaper", false, "do not reap the container's orphaned processes")
	o.criu.Declare(f, "restored")
	f.BoolVar(&o.tcpClose, "tcp-close", false, "restore open TCP connections as closed ones")
	f.StringVar(&o.lsmProfile, "lsm-profile", "", "restore processes with the label `TYPE:LABEL` instead of the saved one; TYPE is apparmor or selinux")
	f.StringVar(&o.lsmMount, "lsm-mount-context", "", "use the SELinux label `LABEL` for mounts that had one")
	return c
}

// restore restores a container. t is nil if the container is detached.
func (a *app) restore(id string, o *restoreOptions, t *terminal.Terminal) (*libcontainer.Container, error) {
	if err := o.criu.Complete(a.global.criu); err != nil {
		return nil, err
	}
	if err := checkLSMProfile(o.lsmProfile); err != nil {
		return nil, err
	}
	p, err := a.prepare(&o.bundle, t == nil)
	if err != nil {
		return nil, err
	}
	if err := a.prepareRoot(); err != nil {
		return nil, err
	}
	how := &libcontainer.RestoreOptions{
		Create: p.create, CRIU: o.criu.CriuOptions,
		TCPClose: o.tcpClose, LSMProfile: o.lsmProfile, LSMMountContext: o.lsmMount,
	}
	if t != nil && p.config.Process.Terminal {
		if how.Console, err = t.Console(a.stderr); err != nil {
			return nil, err
		}
	}
	var c *libcontainer.Container
	err = p.interruptible(func() error {
		how.Interrupts = p.create.Interrupts
		c, err = p.store.Restore(id, p.config, how)
		return err
	})
	return c, err
}

// restoreForeground waits until the container's first process has exited.
func (a *app) restoreForeground(id string, o *restoreOptions) (int, error) {
	caught, err := foreground.Catch()
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
	return a.serve(c, t, caught, false)
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
