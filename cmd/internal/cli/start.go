// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) startCommand() *command.Command {
	return &command.Command{
		Use:   "start [flags] CONTAINER",
		Short: "start the program of a created container",
		Long: `Starts the program of a created container, and fails if the program cannot be
executed. If $NOTIFY_SOCKET is set now and was set for create, waits until the program
reports that it is ready.`,
		Example: `  berth create box
  berth start box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: func(args []string) error {
			n, err := libcontainer.NewNotifier(os.Getenv(libcontainer.NotifySocketEnv))
			if err != nil {
				return err
			}
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			defer n.Close()
			if err := c.Start(a.log, n); err != nil {
				return err
			}
			a.awaitReady(n)
			return nil
		},
	}
}
