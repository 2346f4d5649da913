// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/libcontainer"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestPages: every command and option is in a page.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	if err := writePages(dir); err != nil {
		t.Fatal(err)
	}
	root := convert(cli.Tree())
	checkPage(t, dir, root)
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			checkPage(t, dir, c)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "berth-"+libcontainer.BuilderCommand+".8")); !os.IsNotExist(err) {
		t.Errorf("the hidden command has a manual page: %v", err)
	}
}

// TestScripts: berth has the scripts that cobra generates. `go generate ./cmd/internal/scripts`
// updates them.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	if err := writeScripts(dir); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 4 {
		t.Fatalf("%d scripts, %v", len(made), err)
	}
	for _, script := range made {
		want, err := os.ReadFile(filepath.Join(dir, script.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../internal/scripts", script.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs from what cobra makes (%v)", script.Name(), err)
		}
	}
}

func checkPage(t *testing.T, dir string, c *cobra.Command) {
	t.Helper()
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".8"
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
		return
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	for _, want := range []string{c.Short, c.UseLine()} {
		if !strings.Contains(page, want) {
			t.Errorf("%s: no %q", name, want)
		}
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(page, "--"+f.Name) {
			t.Errorf("%s: no --%s", name, f.Name)
		}
	})
}
