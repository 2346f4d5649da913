// SPDX-License-Identifier: Apache-2.0

// Command berth-docs writes berth's manual pages into a directory. It is a
// program of its own so that what renders them is not linked into berth.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"

	"github.com/berth-run/berth/cmd/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: berth-docs DIRECTORY")
		os.Exit(2)
	}
	if err := writePages(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-docs:", err)
		os.Exit(1)
	}
}

// writePages writes a page for berth and for each command that is not hidden.
// The date in them is that of $SOURCE_DATE_EPOCH, if it is set.
func writePages(dir string) error {
	header := &doc.GenManHeader{Section: "8", Source: "berth", Manual: "berth manual"}
	return doc.GenManTree(cli.Tree(), header, dir)
}
