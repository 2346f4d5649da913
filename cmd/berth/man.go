// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func manCommand() *command {
	return &command{
		name: "man", synopsis: "<directory>", min: 1, max: 1,
		summary: "write the manual pages into a directory",
		hidden:  true, // for the Makefile and packagers
		run: func(_ *app, args []string) (int, error) {
			for name, text := range manPages() {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
					return exitFailure, err
				}
			}
			return 0, nil
		},
	}
}

// manPages makes the manual pages (man(7)) by file name.
func manPages() map[string]string {
	var b strings.Builder
	var g globalOptions
	fmt.Fprintf(&b, ".TH BERTH 8\n.SH NAME\nberth \\- %s\n", summary)
	b.WriteString(".SH SYNOPSIS\n.B berth\n[global options] command [options] [arguments]\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n.SH COMMANDS\n", roff(details))
	pages := make(map[string]string)
	for _, c := range visibleCommands() {
		fmt.Fprintf(&b, ".TP\n.BR berth\\-%s (8)\n%s\n", roff(c.name), roff(c.summary))
		pages["berth-"+c.name+".8"] = c.manPage()
	}
	b.WriteString(".SH OPTIONS\n")
	writeManOptions(&b, g.table())
	pages["berth.8"] = b.String()
	return pages
}

func (c *command) manPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH BERTH-%s 8\n.SH NAME\nberth\\-%s \\- %s\n", strings.ToUpper(c.name), roff(c.name), roff(c.summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.usage("berth")))
	if c.details != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(c.details))
	}
	b.WriteString(".SH OPTIONS\n")
	writeManOptions(&b, c.options)
	b.WriteString(".SH SEE ALSO\n.BR berth (8)\n")
	return b.String()
}

func writeManOptions(b *strings.Builder, options []option) {
	for _, row := range optionRows(options) {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(row[0]), roff(row[1]))
	}
}

// roff escapes text for roff: a hyphen would become a dash, and a line that
// begins with a dot or a quote would be taken for a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
