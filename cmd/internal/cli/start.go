// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start [flags] CONTAINER",
		Short: "start the program of a created container",
		Long: `Starts the program of a created container. Fails, and says why, when the program
cannot be executed.`,
		Args:              a.arguments(1, 1),
		ValidArgsFunction: a.completeContainer,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Start(a.log)
		},
	}
}
