// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/spf13/pflag"
)

// TestCommands checks the commands against their table, and that they have what help, manual
// pages and completions need. A name declared twice panics in pflag.
func TestCommands(t *testing.T) {
	table := commands()
	for i := range table {
		r := &table[i]
		c := r.command(newApp("berth", nil, nil, nil))
		if c.Name() != r.name {
			t.Errorf("command %q is listed as %q", c.Name(), r.name)
		}
		if c.Short == "" {
			t.Errorf("%s: no summary", r.name)
		}
		if c.Args == nil || c.Run == nil {
			t.Errorf("%s: takes any arguments or does nothing", r.name)
		}
		if c.Hidden {
			continue
		}
		checkFlags(t, c)
		if c.Example == "" || !slices.Contains(newApp("berth", nil, nil, nil).rootCommand().Groups, c.InGroup) {
			t.Errorf("%s: no example, or in no group of the help", r.name)
		}
		for line := range strings.Lines(c.Example) {
			if len(line) > 100 || strings.Contains(line, "\t") {
				t.Errorf("%s: an example that is too wide: %s", r.name, line)
			}
		}
	}
	checkFlags(t, newApp("berth", nil, nil, nil).rootCommand())
}

func checkFlags(t *testing.T, c *command.Command) {
	t.Helper()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Usage == "" {
			t.Errorf("%s --%s: no usage text", c.Name(), f.Name)
		}
		isSwitch := f.Value.Type() == "bool"
		if named := strings.Count(f.Usage, "`") == 2; named == isSwitch {
			t.Errorf("%s --%s: a switch has no name for its value, all others have", c.Name(), f.Name)
		}
	})
}

func TestStopAtFirstArgument(t *testing.T) {
	for _, stop := range []bool{false, true} {
		force := false
		r := row{stopAtFirstArgument: stop, build: func(*app) *command.Command {
			c := &command.Command{Use: "x"}
			c.Flags().BoolVar(&force, "force", false, "")
			return c
		}}
		args, err := r.command(nil).Parse([]string{"id", "-force"})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(args); force == stop || stop != (n == 2) {
			t.Errorf("stop %v: force %v with %d arguments", stop, force, n)
		}
	}
}

// TestHelpIsWritten: a write error is reported.
func TestHelpIsWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	for _, argv := range [][]string{{"--help"}, {"help", "kill"}, {"kill", "--help"}, {"completion", "bash"}, {"--version"}} {
		if status := newApp("berth", nil, full, stderr).main(argv); status != exitFailure {
			t.Errorf("%q: status %d", argv, status)
		}
	}
}
