// SPDX-License-Identifier: Apache-2.0

package cli

import (
	_ "embed" // for the scripts
	"fmt"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
)

// The scripts with which shells complete berth's command lines. Cobra generated them for a
// program called berth. They contain its name and the protocol of complete.go, but not its
// commands.
//
//go:generate go run ../../berth-docs completion scripts
var (
	//go:embed scripts/berth.bash
	bashScript string
	//go:embed scripts/berth.zsh
	zshScript string
	//go:embed scripts/berth.fish
	fishScript string
	//go:embed scripts/berth.ps1
	powershellScript string
)

// shell is a shell that berth has a completion script for.
type shell struct {
	name   string
	script string
	use    string
	// long is the command's help, for a program called berth.
	long string
}

// shells are sorted by name.
func shells() []shell {
	return []shell{
		{"bash", bashScript, "bash", bashHelp},
		{"fish", fishScript, "fish [flags]", fishHelp},
		{"powershell", powershellScript, "powershell [flags]", powershellHelp},
		{"zsh", zshScript, "zsh [flags]", zshHelp},
	}
}

const bashHelp = `Generate the autocompletion script for the bash shell.

This script depends on the 'bash-completion' package.
If it is not installed already, you can install it via your OS's package manager.

To load completions in your current shell session:

	source <(berth completion bash)

To load completions for every new session, execute once:

#### Linux:

	berth completion bash > /etc/bash_completion.d/berth

#### macOS:

	berth completion bash > $(brew --prefix)/etc/bash_completion.d/berth

You will need to start a new shell for this setup to take effect.
`

const zshHelp = `Generate the autocompletion script for the zsh shell.

If shell completion is not already enabled in your environment you will need
to enable it.  You can execute the following once:

	echo "autoload -U compinit; compinit" >> ~/.zshrc

To load completions in your current shell session:

	source <(berth completion zsh)

To load completions for every new session, execute once:

#### Linux:

	berth completion zsh > "${fpath[1]}/_berth"

#### macOS:

	berth completion zsh > $(brew --prefix)/share/zsh/site-functions/_berth

You will need to start a new shell for this setup to take effect.
`

const fishHelp = `Generate the autocompletion script for the fish shell.

To load completions in your current shell session:

	berth completion fish | source

To load completions for every new session, execute once:

	berth completion fish > ~/.config/fish/completions/berth.fish

You will need to start a new shell for this setup to take effect.
`

const powershellHelp = `Generate the autocompletion script for powershell.

To load completions in your current shell session:

	berth completion powershell | Out-String | Invoke-Expression

To load completions for every new session, add the output of the above command
to your powershell profile.
`

func (a *app) completionCommand() *command.Command {
	c := &command.Command{
		Use:   "completion [flags]",
		Short: "print a completion script for a shell",
		Long: a.named(`Generate the autocompletion script for berth for the specified shell.
See each sub-command's help for details on how to use the generated script.
`),
		Complete: command.CompleteNothing,
	}
	for _, s := range shells() {
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
func (a *app) shellCommand(s shell) *command.Command {
	plain := false
	c := &command.Command{
		Use:      s.use,
		Short:    "Generate the autocompletion script for " + s.name,
		Long:     a.named(s.long),
		Args:     a.arguments(0, 0),
		Complete: command.CompleteNothing,
		Run: func([]string) error {
			a.text.WriteString(a.script(s, !plain))
			return nil
		},
	}
	c.DeclareHelp()
	c.Flags().BoolVar(&plain, "no-descriptions", false, "disable completion descriptions")
	return c
}

// script returns the script for a shell, with or without descriptions.
func (a *app) script(s shell, described bool) string {
	script := a.named(s.script)
	if !described {
		script = strings.Replace(script, " "+command.RequestDescribed+" ", " "+command.RequestPlain+" ", 1)
	}
	return script
}

// named replaces "berth" in text with the name of the program.
func (a *app) named(text string) string {
	return strings.NewReplacer("berth", a.name, "BERTH", strings.ToUpper(a.name)).Replace(text)
}
