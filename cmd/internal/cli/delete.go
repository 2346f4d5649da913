// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
)

func (a *app) deleteCommand() *command.Command {
	force, regex := false, false
	c := &command.Command{
		Use:   "delete [flags] CONTAINER",
		Short: "delete a container",
		Long:  `Removes a container that has stopped or was never started, with all its resources.`,
		Example: `A container that still runs, and all whose names begin with test:
  berth delete --force box
  berth delete --force --regex '^test'`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: func(args []string) error {
			store, err := a.openStore()
			if err != nil {
				return err
			}
			ids := args
			if regex {
				if ids, err = a.matching(store, args[0]); err != nil {
					return err
				}
			}
			return eachContainer(ids, func(id string) error { return store.Delete(id, force, a.log) })
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "kill a running container first; it is not an error if the container does not exist")
	c.Flags().BoolVarP(&regex, "regex", "r", false, "CONTAINER is a regular expression: delete all containers with a matching id")
	return c
}
