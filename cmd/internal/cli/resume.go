// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume [flags] CONTAINER",
		Short:             "let the processes of a paused container go on",
		Args:              a.arguments(1, 1),
		ValidArgsFunction: a.completeContainer,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Resume()
		},
	}
}
