// SPDX-License-Identifier: Apache-2.0

// Command berth-docs writes berth's manual pages, or the completion scripts that berth embeds,
// into a directory. Cobra generates both, from a description of berth's commands. It is linked
// into this program only.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/cmd/internal/command"
)

func main() {
	writers := map[string]func(dir string) error{"man": writePages, "completion": writeScripts}
	if len(os.Args) != 3 || writers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: berth-docs man|completion DIRECTORY")
		os.Exit(2)
	}
	if err := writers[os.Args[1]](os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-docs:", err)
		os.Exit(1)
	}
}

// writePages writes a page for berth and for each command that is not hidden. The pages have
// the date in $SOURCE_DATE_EPOCH, if it is set.
func writePages(dir string) error {
	header := &doc.GenManHeader{Section: "8", Source: "berth", Manual: "berth manual"}
	return doc.GenManTree(convert(cli.Tree()), header, dir)
}

// convert returns the cobra command for one of ours, with all its subcommands.
func convert(c *command.Command) *cobra.Command {
	converted := &cobra.Command{
		Use:    c.Use,
		Short:  c.Short,
		Long:   c.Long,
		Hidden: c.Hidden,
		// Use is the complete usage line.
		DisableFlagsInUseLine: true,
		// The page need not name the tool that wrote it.
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	if c.Runnable() {
		// Cobra leaves out commands that do nothing.
		converted.Run = func(*cobra.Command, []string) {}
	}
	converted.Flags().AddFlagSet(c.Flags())
	for _, child := range c.Children {
		if child.Name() == "help" {
			// It has no page.
			converted.SetHelpCommand(convert(child))
			continue
		}
		converted.AddCommand(convert(child))
	}
	return converted
}

// writeScripts writes the completion scripts for a program called berth.
func writeScripts(dir string) error {
	berth := &cobra.Command{Use: "berth"}
	return errors.Join(
		berth.GenBashCompletionFileV2(filepath.Join(dir, "berth.bash"), true),
		berth.GenZshCompletionFile(filepath.Join(dir, "berth.zsh")),
		berth.GenFishCompletionFile(filepath.Join(dir, "berth.fish"), true),
		berth.GenPowerShellCompletionFileWithDesc(filepath.Join(dir, "berth.ps1")),
	)
}
