// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause [flags] CONTAINER",
		Short: "stop all processes of a container until it is resumed",
		Long: `Freezes the processes of a container that runs, or that waits for its start.
Returns when all of them stand still.`,
		Args:              a.arguments(1, 1),
		ValidArgsFunction: a.completeContainer,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Pause()
		},
	}
}
