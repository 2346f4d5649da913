// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/options"
	"github.com/berth-run/berth/libcontainer"
	"golang.org/x/sys/unix"
)

// checkpointOptions are the options of checkpoint.
type checkpointOptions struct {
	criu       options.CRIU
	engine     libcontainer.CheckpointOptions
	pageServer string
	statusFD   int
}

func (a *app) checkpointCommand() *command.Command {
	var o checkpointOptions
	c := &command.Command{
		Use:   "checkpoint [flags] CONTAINER",
		Short: "save a running container",
		Long: `Saves the processes of a container in image files with criu, for "restore", and then
deletes the container, unless --leave-running or --pre-dump is given. If anything fails,
the container continues to run.`,
		Example: `  berth checkpoint --image-path /var/tmp/box box
  berth restore --detach --image-path /var/tmp/box box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: func(args []string) error {
			if err := o.complete(a); err != nil {
				return err
			}
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Checkpoint(&o.engine)
		},
	}
	f := c.Flags()
	o.criu.Declare(f, "saved")
	f.StringVar(&o.engine.ParentPath, "parent-path", "", "save only what has changed since the pre-dump in `DIR`, relative to the images")
	f.BoolVar(&o.engine.PreDump, "pre-dump", false, "save only memory, and leave the container running")
	f.BoolVar(&o.engine.LeaveRunning, "leave-running", false, "leave the container running")
	f.BoolVar(&o.engine.TCPSkipInFlight, "tcp-skip-in-flight", false, "leave out TCP connections that are not established yet")
	f.StringVar(&o.pageServer, "page-server", "", "send memory to the criu page server at `ADDRESS:PORT`; with --lazy-pages, serve pages there")
	f.IntVar(&o.statusFD, "status-fd", -1, "write a zero byte to file descriptor `N` when --lazy-pages is ready to serve")
	return c
}

// complete checks the options and fills in o.engine.
func (o *checkpointOptions) complete(a *app) (err error) {
	if err := o.criu.Complete(a.global.criu); err != nil {
		return err
	}
	e := &o.engine
	e.CRIU, e.Log = o.criu.CriuOptions, a.log
	if o.pageServer != "" {
		if e.PageServer, err = options.ParsePageServer(o.pageServer); err != nil {
			return err
		}
	}
	if e.LazyPages && e.PageServer == nil {
		return errors.New("--lazy-pages: needs --page-server, the address to serve pages at")
	}
	if o.statusFD < 0 {
		return nil
	}
	if _, err := unix.FcntlInt(uintptr(o.statusFD), unix.F_GETFD, 0); err != nil {
		return fmt.Errorf("--status-fd: fd %d is not open", o.statusFD)
	}
	e.StatusFD = os.NewFile(uintptr(o.statusFD), "status-fd")
	return nil
}
