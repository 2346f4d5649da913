// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
)

func (a *app) deleteCommand() *command.Command {
	force, regex := false, false
	c := &command.Command{
		Use:      "delete [flags] CONTAINER",
		Short:    "delete a container",
		Long:     `Removes all that is held for a container that has stopped or was never started.`,
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
	c.Flags().BoolVarP(&force, "force", "f", false, "kill a running container first; a missing container is no error")
	c.Flags().BoolVarP(&regex, "regex", "r", false, "CONTAINER is a regular expression: delete all containers with such ids")
	return c
}
