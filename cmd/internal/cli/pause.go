// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) pauseCommand() *command.Command {
	return &command.Command{
		Use:   "pause [flags] CONTAINER",
		Short: "stop all processes of a container until it is resumed",
		Long: `Freezes the processes of a container that is running or created. Returns when all of
them are frozen.`,
		Example: `  berth pause box
  berth resume box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run:      a.onContainer((*libcontainer.Container).Pause),
	}
}
