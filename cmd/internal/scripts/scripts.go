// SPDX-License-Identifier: Apache-2.0

// Package scripts has the scripts with which shells complete berth's command lines. Cobra generated
// them for a program called berth. They contain its name and the protocol of package command, but
// not its commands.
package scripts

import (
	_ "embed" // for the scripts
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
)

//go:generate go run ../../berth-docs completion .
var (
	//go:embed berth.bash
	bashScript string
	//go:embed berth.zsh
	zshScript string
	//go:embed berth.fish
	fishScript string
	//go:embed berth.ps1
	powershellScript string
)

// Script is a completion script.
type Script struct {
	// Shell is the name of the shell.
	Shell string
	// Use is the usage of the command that prints the script.
	Use string
	// text and help are for a program called berth.
	text, help string
}

// All returns the scripts, sorted by shell.
func All() []Script {
	return []Script{
		{"bash", "bash", bashScript, bashHelp},
		{"fish", "fish [flags]", fishScript, fishHelp},
		{"powershell", "powershell [flags]", powershellScript, powershellHelp},
		{"zsh", "zsh [flags]", zshScript, zshHelp},
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

// Help returns the help of the command that prints the script, for the program of that name.
func (s *Script) Help(program string) string { return For(program, s.help) }

// Text returns the script for the program of that name, with or without descriptions.
func (s *Script) Text(program string, described bool) string {
	text := For(program, s.text)
	if !described {
		text = strings.Replace(text, " "+command.RequestDescribed+" ", " "+command.RequestPlain+" ", 1)
	}
	return text
}

// For replaces "berth" in text with the name of the program.
func For(program, text string) string {
	return strings.NewReplacer("berth", program, "BERTH", strings.ToUpper(program)).Replace(text)
}
