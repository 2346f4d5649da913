// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/berth-run/berth/libcontainer"

func (a *app) resumeCommand() *Command {
	return &Command{
		Use:      "resume [flags] CONTAINER",
		Short:    "let the processes of a paused container go on",
		args:     a.arguments(1, 1),
		complete: a.completeContainer,
		run:      a.onContainer((*libcontainer.Container).Resume),
	}
}
