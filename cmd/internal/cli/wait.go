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
		Short: "wait for the end of a container and print its exit status",
		Long: `Waits until the first process of a container has ended, whoever its parent is, and
prints its exit status, 128+n when signal n killed it. A parent that collects the
status first hides it before Linux 6.15, and from a wait that begins later always.`,
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
