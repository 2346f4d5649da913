// SPDX-License-Identifier: Apache-2.0

package cli

func (a *app) pauseCommand() *Command {
	return &Command{
		Use:   "pause [flags] CONTAINER",
		Short: "stop all processes of a container until it is resumed",
		Long: `Freezes the processes of a container that runs, or that waits for its start.
Returns when all of them stand still.`,
		args:     a.arguments(1, 1),
		complete: a.completeContainer,
		run: func(args []string) error {
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Pause()
		},
	}
}
