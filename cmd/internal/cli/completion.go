// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/scripts"
)

func (a *app) completionCommand() *command.Command {
	c := &command.Command{
		Use:   "completion [flags]",
		Short: "print a completion script for a shell",
		Long: scripts.For(a.name, `Generate the autocompletion script for berth for the specified shell.
See each sub-command's help for details on how to use the generated script.
`),
		Example: `In the shell that is open now:
  . <(berth completion bash)`,
		Complete: command.CompleteNothing,
	}
	for _, s := range scripts.All() {
		c.Add(a.shellCommand(s))
	}
	c.Args = func(_ *command.Command, args []string) error {
		if len(args) > 0 && c.Child(args[0]) != nil {
			return nil
		}
		return a.arguments(1, 1)(c, args)
	}
	c.Run = func(args []string) error {
		shell := c.Child(args[0])
		if shell == nil {
			return fmt.Errorf("no completion for shell %q", args[0])
		}
		return a.execute(shell, args[1:])
	}
	return c
}

// shellCommand prints the script of one shell.
func (a *app) shellCommand(s scripts.Script) *command.Command {
	plain := false
	c := &command.Command{
		Use:      s.Use,
		Short:    "Generate the autocompletion script for " + s.Shell,
		Long:     s.Help(a.name),
		Args:     a.arguments(0, 0),
		Complete: command.CompleteNothing,
		Run: func([]string) error {
			a.text.WriteString(s.Text(a.name, !plain))
			return nil
		},
	}
	c.DeclareHelp()
	c.Flags().BoolVar(&plain, "no-descriptions", false, "disable completion descriptions")
	return c
}
