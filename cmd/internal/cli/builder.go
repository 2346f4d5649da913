// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/berth-run/berth/libcontainer"
)

// builderCommand is what the engine execs inside the user namespace of a
// container that it builds. It tells its outcome over a socket.
func (a *app) builderCommand() *cobra.Command {
	return &cobra.Command{
		Use:    libcontainer.BuilderCommand,
		Short:  "build a container from inside its user namespace",
		Hidden: true,
		Args:   a.arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			libcontainer.RunBuilder()
			return nil
		},
	}
}
