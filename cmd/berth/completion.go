// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

func completionCommand() *command {
	return &command{
		name: "completion", synopsis: "<bash|zsh|fish>", min: 1, max: 1,
		summary: "print a completion script for a shell",
		run: func(a *app, args []string) (int, error) {
			switch args[0] {
			case "bash":
				return 0, a.print(bashCompletion())
			case "zsh":
				return 0, a.print("#compdef berth\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion())
			case "fish":
				return 0, a.print(fishCompletion())
			}
			return exitFailure, fmt.Errorf("no completion for shell %q: want bash, zsh or fish", args[0])
		},
	}
}

// takesContainer says whether the first argument is a container that exists.
func (c *command) takesContainer() bool {
	return strings.HasPrefix(c.synopsis, "<container-id>") && !c.lifecycle
}

// bashCompletion completes commands, options and container ids; everything else
// is left to the shell's completion of files.
func bashCompletion() string {
	var g globalOptions
	var names, cases strings.Builder
	for _, c := range visibleCommands() {
		fmt.Fprintf(&names, " %s", c.name)
		words := optionWords(c.options)
		if c.takesContainer() {
			words += ` $(berth list --quiet 2>/dev/null)`
		}
		fmt.Fprintf(&cases, "\t%s) words=\"%s\" ;;\n", c.name, words)
	}
	return fmt.Sprintf(`_berth() {
	local cur=${COMP_WORDS[COMP_CWORD]} commands="%[1]s" command="" word words
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case " $commands " in *" $word "*) command=$word; break ;; esac
	done
	case $command in
	"") words="$commands %[2]s" ;;
%[3]s	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _berth berth
`, strings.TrimSpace(names.String()), optionWords(g.table()), cases.String())
}

func optionWords(options []option) string {
	words := make([]string, 0, len(options))
	for i := range options {
		words = append(words, "--"+options[i].long)
	}
	return strings.Join(words, " ")
}

func fishCompletion() string {
	var g globalOptions
	var b strings.Builder
	writeFishOptions(&b, "__fish_use_subcommand", g.table())
	for _, c := range visibleCommands() {
		fmt.Fprintf(&b, "complete -c berth -n __fish_use_subcommand -f -a %s -d %s\n", c.name, fishQuote(c.summary))
		seen := "__fish_seen_subcommand_from " + c.name
		writeFishOptions(&b, seen, c.options)
		if c.takesContainer() {
			fmt.Fprintf(&b, "complete -c berth -n '%s' -f -a '(berth list --quiet 2>/dev/null)'\n", seen)
		}
	}
	return b.String()
}

func writeFishOptions(b *strings.Builder, condition string, options []option) {
	for i := range options {
		o := &options[i]
		fmt.Fprintf(b, "complete -c berth -n '%s' -l %s", condition, o.long)
		if o.short != "" {
			fmt.Fprintf(b, " -s %s", o.short)
		}
		if o.arg != "" {
			b.WriteString(" -r")
		}
		fmt.Fprintf(b, " -d %s\n", fishQuote(o.usage))
	}
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
