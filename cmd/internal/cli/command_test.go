// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestCommands holds the commands to their table and to what help, manual pages
// and completions are made from. A name declared twice panics in pflag.
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
		if c.args == nil || c.run == nil {
			t.Errorf("%s: takes any arguments or does nothing", r.name)
		}
		checkFlags(t, c)
	}
	checkFlags(t, newApp("berth", nil, nil, nil).rootCommand())
}

func checkFlags(t *testing.T, c *Command) {
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
		r := row{stopAtFirstArgument: stop, build: func(*app) *Command {
			c := &Command{Use: "x"}
			c.Flags().BoolVar(&force, "force", false, "")
			return c
		}}
		args, err := r.command(nil).parse([]string{"id", "-force"})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(args); force == stop || stop != (n == 2) {
			t.Errorf("stop %v: force %v with %d arguments", stop, force, n)
		}
	}
}

// TestComplete asks as the completion scripts of all shells do.
func TestComplete(t *testing.T) {
	root := t.TempDir()
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{"st"}, "start state"},
		{[]string{"--root", "/x", "crea"}, "create"},
		{[]string{"--ro"}, "--root --rootless"},
		{[]string{"kill", "--a"}, "--all"},
		{[]string{"bui"}, ""},
		{[]string{"--root", root, "state", ""}, ""},
		{[]string{"completion", "b"}, "bash"},
		{[]string{"mounts", ""}, "add remove"},
		{[]string{"mounts", "add", "box", ""}, ""},
	}
	for _, test := range tests {
		got := invoke(t, "berth", append([]string{requestPlain}, test.words...)...)
		lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
		// The last line tells the script what to do besides.
		words := strings.Join(lines[:len(lines)-1], " ")
		if got.status != 0 || words != test.want || got.stderr != "" {
			t.Errorf("%q: status %d, completions %q, stderr %q, want %q", test.words, got.status, words, got.stderr, test.want)
		}
	}
}

// TestCompletionScripts requires bash, for its own script.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := invoke(t, "berth", "completion", shell); got.status != 0 || !strings.Contains(got.stdout, "__complete") {
			t.Errorf("%s: status %d, %d bytes", shell, got.status, len(got.stdout))
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	script := filepath.Join(t.TempDir(), "berth")
	if err := os.WriteFile(script, []byte(invoke(t, "berth", "completion", "bash").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bash, "-n", script).CombinedOutput(); err != nil {
		t.Errorf("bash: %v: %s", err, out)
	}
}

// TestHelpIsWritten: an error of writing is not lost.
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
