// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
)

func (a *app) createCommand() *command.Command {
	var o bundleOptions
	c := &command.Command{
		Use:   "create [flags] CONTAINER",
		Short: "create a container",
		Long: `Creates the container of a bundle, but does not start its program: use "start" for
that.`,
		Example: `Step by step, as engines do it, in a directory with a config.json:
  berth create box
  berth start box`,
		Args:     a.arguments(1, 1),
		Complete: command.CompleteNothing,
		Run: func(args []string) error {
			p, err := a.prepareNew(&o, true)
			if err != nil {
				return err
			}
			return p.interruptible(func() error {
				_, err := a.createContainer(args[0], p)
				return err
			})
		},
	}
	o.declare(c.Flags())
	return c
}
