// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

// builderCommand is the command that libcontainer executes inside the user namespace of a
// container that it builds. It reports its result over a socket.
func (a *app) builderCommand() *command.Command {
	return &command.Command{
		Use:    libcontainer.BuilderCommand + " [flags]",
		Short:  "build a container from inside its user namespace",
		Hidden: true,
		Args:   a.arguments(0, 0),
		Run: func([]string) error {
			libcontainer.RunBuilder()
			return nil
		},
	}
}
