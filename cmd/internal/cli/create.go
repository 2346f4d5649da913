// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

func (a *app) createCommand() *cobra.Command {
	var o bundleOptions
	c := &cobra.Command{
		Use:   "create [flags] CONTAINER",
		Short: "create a container",
		Long: `Sets the container of a bundle up, all but the start of its program, which
"start" does.`,
		Args:              a.arguments(1, 1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.prepare(&o, true)
			if err != nil {
				return err
			}
			_, err = a.createContainer(args[0], p)
			return err
		},
	}
	o.declare(c.Flags())
	return c
}
