// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/berth-run/berth/libcontainer"

func (a *app) pauseCommand() *Command {
	return &Command{
		Use:   "pause [flags] CONTAINER",
		Short: "stop all processes of a container until it is resumed",
		Long: `Freezes the processes of a container that runs, or that waits for its start.
Returns when all of them stand still.`,
		args:     a.arguments(1, 1),
		complete: a.completeContainer,
		run:      a.onContainer((*libcontainer.Container).Pause),
	}
}
