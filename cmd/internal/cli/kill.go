// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

func (a *app) killCommand() *cobra.Command {
	all := false
	c := &cobra.Command{
		Use:   "kill [flags] CONTAINER [SIGNAL]",
		Short: "send a signal to a container's init process",
		Long: `Sends a signal to a container's init process. The signal is a number or a name,
with or without SIG, in any case; RTMIN+n and RTMAX-n are names, too. The default
is TERM.`,
		Args:              a.arguments(1, 2),
		ValidArgsFunction: a.completeContainer,
		RunE: func(_ *cobra.Command, args []string) error {
			name := "TERM"
			if len(args) > 1 {
				name = args[1]
			}
			sig, err := parseSignal(name)
			if err != nil {
				return err
			}
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Signal(sig, all)
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "signal every process of the container; a stopped container is no error then")
	return c
}
