// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
)

func TestHelp(t *testing.T) {
	run := func([]string) error { return nil }
	tests := []struct {
		name    string
		command func() *command.Command
		want    string
	}{
		{
			"plain",
			func() *command.Command { return &command.Command{Use: "x [flags] ID", Short: "do it", Run: run} },
			"NAME:\n   x - do it\n\nUSAGE:\n  x [flags] ID\n",
		},
		{
			"options",
			func() *command.Command {
				c := &command.Command{Use: "x [flags] ID", Short: "do it", Long: "Does it.\n", Alias: "y", Run: run}
				c.Flags().String("file", "f", "read `FILE`")
				c.DeclareHelp()
				return c
			},
			"NAME:\n   x - do it\n\n" + "Does it.\n\nUSAGE:\n  x [flags] ID\n\nALIASES:\n  x, y\n\nGLOBAL OPTIONS:\n" +
				"      --file FILE             read FILE (default: f)\n" +
				"  -h, --help                  show help\n",
		},
		{
			"long option",
			func() *command.Command {
				c := &command.Command{Use: "x [flags]", Short: "do it", Example: "First:\n  x --a-very-long-option 3s", Run: run}
				c.Flags().Duration("a-very-long-option", time.Second, "wait for `DURATION`, "+strings.Repeat("very ", 20)+"long")
				return c
			},
			"NAME:\n   x - do it\n\nUSAGE:\n  x [flags]\n\nGLOBAL OPTIONS:\n" +
				"      --a-very-long-option DURATION\n" +
				"                              wait for DURATION, very very very very very very very very very very\n" +
				"                              very very very very very very very very very very long (default: 1s)\n" +
				"\nEXAMPLES:\n  First:\n    x --a-very-long-option 3s\n",
		},
		{
			"groups",
			func() *command.Command {
				c := &command.Command{Use: "x", Short: "do it", Groups: []string{"B", "none", "A"}}
				c.Add(&command.Command{Use: "one", Short: "do one", InGroup: "A"}, &command.Command{Use: "two", Short: "do two", InGroup: "B"}, &command.Command{Use: "old", Short: "do old"})
				return c
			},
			"NAME:\n   x - do it\n\nUSAGE:\n  x [command]\n\nCOMMANDS:\n B:\n  two         do two\n\n A:\n  one         do one\n" +
				"  old         do old\n\nUse \"x [command] --help\" for more information about a command.\n",
		},
		{
			"commands",
			func() *command.Command {
				c := &command.Command{Use: "x [flags]", Short: "do it", Run: run}
				c.Add(&command.Command{Use: "one [flags]", Short: "do one"}, &command.Command{Use: "two", Hidden: true}, &command.Command{Use: "a-long-name", Short: "do more"})
				(&command.Command{Use: "p [flags] command"}).Add(c)
				return c
			},
			"NAME:\n   p x - do it\n\nUSAGE:\n  p x [flags]\n  p x [command]\n\nCOMMANDS:\n" +
				"  one         do one\n  a-long-name do more\n\n" +
				"Use \"p x [command] --help\" for more information about a command.\n",
		},
		{
			"nothing by itself",
			func() *command.Command {
				c := &command.Command{Use: "p [flags] command", Short: "do it"}
				c.Add(&command.Command{Use: "one", Short: "do one"})
				return c
			},
			"NAME:\n   p - do it\n\nUSAGE:\n  p [command]\n\nCOMMANDS:\n  one         do one\n\n" +
				"Use \"p [command] --help\" for more information about a command.\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.command().Help(); got != test.want {
				t.Errorf("prints\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestFind: it stops at the first word that is not a command.
func TestFind(t *testing.T) {
	root := Tree()
	for _, test := range []struct{ words, want string }{
		{"", "berth"},
		{"kill", "kill"},
		{"kill x", "kill"},
		{"h", "help"},
		{"completion zsh", "zsh"},
		{"completion x", "completion"},
		{"x kill", "berth"},
	} {
		if got := root.Find(strings.Fields(test.words)); got.Name() != test.want {
			t.Errorf("%q finds %s, want %s", test.words, got.Name(), test.want)
		}
	}
	if c := root.Child(""); c != nil {
		t.Errorf("no name finds %s", c.Name())
	}
}
