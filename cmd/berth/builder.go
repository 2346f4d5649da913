// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/berth-run/berth/libcontainer"

// builderCommand is what the engine execs inside the user namespace of a
// container that it builds. It tells its outcome over a socket.
func builderCommand() *command {
	return &command{
		name:    libcontainer.BuilderCommand,
		summary: "build a container from inside its user namespace",
		hidden:  true,
		run: func(*app, []string) (int, error) {
			libcontainer.RunBuilder()
			return 0, nil
		},
	}
}
