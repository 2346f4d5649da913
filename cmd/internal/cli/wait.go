// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strconv"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) waitCommand() *command.Command {
	return &command.Command{
		Use:   "wait [flags] CONTAINER",
		Short: "wait until a container has ended and print its exit status",
		Long: `Waits until the first process of a container has ended, whatever its parent is, and
prints its exit status, or 128+n if signal n killed it. Before Linux 6.15 the status is
lost if the parent collects it first. It is always lost if the wait begins after that.`,
		Example:  `  berth wait box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: a.onContainer(func(c *libcontainer.Container) error {
			status, err := c.ExitStatus()
			if err != nil {
				return err
			}
			return a.print(strconv.Itoa(status) + "\n")
		}),
	}
}
