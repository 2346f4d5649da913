// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// reasons are the reasons not to run commands. Each is about something that the machine of the
// documents, a fresh one, cannot have, or not in a test.
var reasons = []string{
	"needs a running containerd",
	"needs a running dockerd",
	"needs another host",
	"needs systemd as process 1",
	"takes too long",
}

// The text of a marker is a reason, a reference to what does run the commands, or both, separated
// by "; ". What a reference names must exist.
var (
	// "tests/fresh runs it" means that every command is in that file, or in one below that
	// folder.
	runsIt = regexp.MustCompile(`^(\S+) runs it$`)
	// "TestX shows it" names a test in tests/integration.
	showsIt = regexp.MustCompile(`^(Test\w+) shows it$`)
)

// checkMarker returns what is wrong with the marker of a block. root is the repository.
func checkMarker(root string, b *block) error {
	for part := range strings.SplitSeq(b.notRun, "; ") {
		switch {
		case slices.Contains(reasons, part):
		case runsIt.MatchString(part):
			if err := checkRuns(root, runsIt.FindStringSubmatch(part)[1], b); err != nil {
				return err
			}
		case showsIt.MatchString(part):
			name := showsIt.FindStringSubmatch(part)[1]
			text, err := readAll(filepath.Join(root, "tests/integration"))
			if err != nil {
				return err
			}
			if !strings.Contains(text, "func "+name+"(t *testing.T)") {
				return fmt.Errorf("there is no test %s in tests/integration", name)
			}
		default:
			return fmt.Errorf("unknown reason %q (known: %s; PATH runs it; TestX shows it)", part, strings.Join(reasons, "; "))
		}
	}
	return nil
}

// checkRuns looks for each command of a block in the file or folder that should run it. `make
// TARGET` is also found in a target that runs it.
func checkRuns(root, path string, b *block) error {
	text, err := readAll(filepath.Join(root, path))
	if err != nil {
		return err
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return err
	}
	for command := range strings.Lines(b.text) {
		command, _, _ = strings.Cut(command, " #")
		command = strings.TrimSpace(command)
		if command == "" || mentions(text, command) {
			continue
		}
		if target, ok := strings.CutPrefix(command, "make "); !ok || !runsTarget(text, string(makefile), target) {
			return fmt.Errorf("%s does not run %q", path, command)
		}
	}
	return nil
}

// mentions reports whether a text has a command as a whole word.
func mentions(text, command string) bool {
	return regexp.MustCompile(`(?m)(^|[\s"'` + "`" + `])` + regexp.QuoteMeta(command) + `($|[\s"';` + "`" + `])`).MatchString(text)
}

// runsTarget reports whether a text has a `make` of a target that depends on the given one.
func runsTarget(text, makefile, target string) bool {
	for line := range strings.Lines(makefile) {
		name, rest, ok := strings.Cut(line, ":")
		rest, _, _ = strings.Cut(rest, "##")
		if ok && !strings.HasPrefix(name, ".") && mentions(text, "make "+name) && slices.Contains(strings.Fields(rest), target) {
			return true
		}
	}
	return false
}

// readAll reads a file, or all files below a folder in sequence.
func readAll(path string) (string, error) {
	var all strings.Builder
	err := filepath.WalkDir(path, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == "_build" {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(file)
		all.Write(text)
		return err
	})
	return all.String(), err
}
