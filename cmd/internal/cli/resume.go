// SPDX-License-Identifier: Apache-2.0

package cli

func (a *app) resumeCommand() *Command {
	return &Command{
		Use:      "resume [flags] CONTAINER",
		Short:    "let the processes of a paused container go on",
		args:     a.arguments(1, 1),
		complete: a.completeContainer,
		run: func(args []string) error {
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Resume()
		},
	}
}
