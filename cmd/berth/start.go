// SPDX-License-Identifier: Apache-2.0

package main

func startCommand() *command {
	return &command{
		name: "start", synopsis: "<container-id>", min: 1, max: 1,
		summary: "start the program of a created container",
		details: `Fails, and says why, when the program cannot be executed.`,
		run: func(a *app, args []string) (int, error) {
			c, err := a.load(args[0])
			if err != nil {
				return exitFailure, err
			}
			return 0, c.Start(a.log)
		},
	}
}
