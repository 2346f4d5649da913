// SPDX-License-Identifier: Apache-2.0

package main

func deleteCommand() *command {
	force := false
	return &command{
		name: "delete", synopsis: "<container-id>", min: 1, max: 1,
		summary: "delete a container",
		details: `Removes all that is held for a container that has stopped or was never started.`,
		options: []option{
			{long: "force", short: "f", value: &force, usage: "kill a running container first; a missing container is no error"},
		},
		run: func(a *app, args []string) (int, error) {
			store, err := a.openStore()
			if err != nil {
				return exitFailure, err
			}
			return 0, store.Delete(args[0], force, a.log)
		},
	}
}
