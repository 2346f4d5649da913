// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) resumeCommand() *command.Command {
	return &command.Command{
		Use:      "resume [flags] CONTAINER",
		Short:    "resume the processes of a paused container",
		Example:  `  berth resume box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run:      a.onContainer((*libcontainer.Container).Resume),
	}
}
