// SPDX-License-Identifier: Apache-2.0

package main

func createCommand() *command {
	var o bundleOptions
	return &command{
		name: "create", synopsis: "<container-id>", min: 1, max: 1,
		summary: "create a container",
		details: `Sets the container of a bundle up, all but the start of its program, which
"start" does.`,
		options:   o.table(),
		lifecycle: true,
		run: func(a *app, args []string) (int, error) {
			p, err := a.prepare(&o, true)
			if err != nil {
				return exitFailure, err
			}
			_, err = a.createContainer(args[0], p)
			return 0, err
		},
	}
}
