// SPDX-License-Identifier: Apache-2.0

// Command berth-docs writes berth's manual pages, or the completion scripts that berth embeds,
// into a directory. The pages are made from the descriptions of berth's commands, and from
// docs/spec-support.md, which must be below the working directory. Cobra generates the scripts; it
// is linked into this program only.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	writers := map[string]func(dir string) error{"man": writeManual, "completion": writeScripts}
	if len(os.Args) != 3 || writers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: berth-docs man|completion DIRECTORY")
		os.Exit(2)
	}
	if err := writers[os.Args[1]](os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-docs:", err)
		os.Exit(1)
	}
}

// supportFile has the fields of config.json and the annotations.
const supportFile = "docs/spec-support.md"

// writeManual writes all pages. They have the date in $SOURCE_DATE_EPOCH, if it is set.
func writeManual(dir string) error {
	date := time.Now()
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		date = time.Unix(n, 0)
	}
	support, err := os.ReadFile(supportFile)
	if err != nil {
		return err
	}
	pages, err := manual(string(support), date.UTC())
	if err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // a document
			return err
		}
	}
	return nil
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
