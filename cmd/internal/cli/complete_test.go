// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/signame"
	"github.com/spf13/pflag"
)

// TestComplete makes the requests of all shells' completion scripts.
func TestComplete(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir()) // where an ordinary user's containers are
	root := t.TempDir()
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{"st"}, "start state :4"},
		{[]string{"--root", "/x", "crea"}, "create :4"},
		{[]string{"-root", "/x", "crea"}, "create :4"},
		{[]string{"--debug", "crea"}, "create :4"},
		{[]string{"--ro"}, "--root --rootless :4"},
		{[]string{"--rootless", "auto", "--ro"}, "--root :4"},
		{[]string{"--root", ""}, ":0"},
		{[]string{"--root="}, ":0"},
		{[]string{"--", "st"}, "start state :4"},
		{[]string{"--", "-"}, ":4"},
		{[]string{"bogus", ""}, ":0"},
		{[]string{"--bogus", ""}, ":0"},
		{[]string{"bui"}, ":4"},
		{[]string{"builder", "--"}, "--help :4"},
		{[]string{"kill", "-"}, "--all -a --help -h --regex -r :4"},
		{[]string{"kill", "--a"}, "--all :4"},
		{[]string{"kill", "-a", "--a"}, ":4"},
		{[]string{"kill", "box", "--a"}, "--all :4"},
		{[]string{"kill", "--", "--a"}, ":4"},
		{[]string{"exec", "-e", "A=1", "--en"}, "--env :4"},
		{[]string{"exec", "-e", "A=1", "--cwd"}, "--cwd :4"},
		{[]string{"exec", "--cwd", ""}, ":0"},
		{[]string{"exec", "--cwd=/"}, ":0"},
		{[]string{"exec", "box", "-"}, ":4"},
		{[]string{"create", ""}, ":4"},
		{[]string{"--root", root, "state", ""}, ":4"},
		{[]string{"--root", root + "/none", "state", ""}, ":1"},
		{[]string{"completion", "b"}, "bash :4"},
		{[]string{"completion", "bash", ""}, ":4"},
		{[]string{"completion", "bash", "--no"}, "--no-descriptions :4"},
		{[]string{"completion", "bogus", ""}, ":4"},
		{[]string{"help", "com"}, "completion :4"},
		{[]string{"h", "kil"}, "kill :4"},
		{[]string{"help", "completion", "f"}, "fish :4"},
		{[]string{"help", "bogus", ""}, ":4"},
		{[]string{"--log-format", ""}, "text json :4"},
		{[]string{"--log-level", "w"}, "warning :4"},
		{[]string{"spec", "--rootless="}, "true false :4"},
		{[]string{"exec", "-t=f"}, "false :4"},
		{[]string{"-rootless=a"}, "auto :4"},
		{[]string{"list", "--format", ""}, "table json :4"},
		{[]string{"list", "-f", "j"}, "json :4"},
		{[]string{"ps", "--format=j"}, "json :4"},
		{[]string{"check", "--format", ""}, "table json :4"},
		{[]string{"check", ""}, ":0"},
		{[]string{"doctor", "--for", ""}, ":0"},
		{[]string{"doctor", "--f"}, "--for --format :4"},
		{[]string{"--root", root, "inspect", ""}, ":4"},
		{[]string{"list", "--format", "table", "format", ""}, ":0"},
		{[]string{"list", "--bogus", "format", ""}, ":0"},
		{[]string{"state", "--format", ""}, ":0"},
		{[]string{"exec", "-c", "CAP_SYS_A"}, "CAP_SYS_ADMIN :4"},
		{[]string{"restore", "--network-lock", "n"}, "nftables :4"},
		{[]string{"--root", root, "events", "box", ""}, ":4"},
		{[]string{"kill", "box", "K"}, "KILL :4"},
		{[]string{"kill", "-a", "box", "R"}, "RTMIN RTMAX :4"},
		{[]string{"kill", "box", "KILL", ""}, ":4"},
		{[]string{"mounts", ""}, "add remove :4"},
		{[]string{"mounts", "r"}, "remove :4"},
		{[]string{"mounts", "add", "box", ""}, ":0"},
		{[]string{"mounts", "add", "box", "file", ""}, ":4"},
	}
	for _, test := range tests {
		got := invoke(t, "berth", append([]string{command.RequestPlain}, test.words...)...)
		lines := strings.Join(strings.Fields(got.stdout), " ")
		if got.status != 0 || lines != test.want || got.stderr != "" {
			t.Errorf("%q: status %d, completions %q, stderr %q, want %q", test.words, got.status, lines, got.stderr, test.want)
		}
	}
}

func TestCompleteWithDescriptions(t *testing.T) {
	const described = "start\tstart the program of a created container\nstate\tprint the state of a container\n:4\n"
	const plain = "start\nstate\n:4\n"
	request := func(name string) string { return invoke(t, name, command.RequestDescribed, "st").stdout }
	if got := request("berth"); got != described {
		t.Errorf("prints %q", got)
	}
	for _, name := range []string{"berth", "runc"} {
		t.Setenv("COBRA_COMPLETION_DESCRIPTIONS", "false")
		if got := request(name); got != plain {
			t.Errorf("%s: without descriptions prints %q", name, got)
		}
		t.Setenv(strings.ToUpper(name)+"_COMPLETION_DESCRIPTIONS", "1")
		if got := request(name); got != described {
			t.Errorf("%s: with descriptions for itself prints %q", name, got)
		}
	}
	if got := invoke(t, "berth", command.RequestDescribed, "--criu"); got.stdout != "--criu\tuse the program PATH to checkpoint and restore, instead of criu in $PATH\n:4\n" {
		t.Errorf("an option prints %q", got.stdout)
	}
	if got := invoke(t, "berth", command.RequestDescribed); got.status != exitFailure || !strings.Contains(got.stderr, "requires a minimum of 1 argument(s)") {
		t.Errorf("no words: status %d, %q", got.status, got.stderr)
	}
}

// TestCandidatesOfOneLine: a description with two lines would become two candidates.
func TestCandidatesOfOneLine(t *testing.T) {
	a := newApp("berth", nil, nil, nil)
	a.writeCandidates([]command.Candidate{{Word: "a", About: "x\ny"}, {Word: "b"}}, true)
	if got := a.text.String(); got != "a\tx\nb\n" {
		t.Errorf("writes %q", got)
	}
}

// TestOptionValues: each value is in the option's help, and is accepted.
func TestOptionValues(t *testing.T) {
	seen := map[string]bool{}
	var visit func(c *command.Command)
	visit = func(c *command.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range command.OptionValues(f) {
				if f.Value.Type() == "bool" {
					continue
				}
				seen[f.Name] = true
				if f.Name != "cap" && f.Name != "cap-add" && f.Name != "rootless" && !strings.Contains(f.Usage, value) {
					t.Errorf("%s: the help of --%s does not mention %s: %s", c.Name(), f.Name, value, f.Usage)
				}
				if err := c.Flags().Set(f.Name, value); err != nil {
					t.Errorf("%s: %v", c.Name(), err)
				}
			}
		})
		for _, child := range c.Children {
			visit(child)
		}
	}
	visit(Tree())
	if len(seen) != 10 {
		t.Errorf("there are options for %v", seen)
	}
	for _, name := range signame.Names() {
		if _, err := signame.Parse(name); err != nil {
			t.Error(err)
		}
	}
}

func FuzzComplete(f *testing.F) {
	f.Add("kill\x00--a")
	f.Add("--root\x00x\x00mounts\x00add\x00")
	f.Add("completion\x00bash\x00--\x00-")
	f.Add("-h=")
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, "\x00")
		root := Tree()
		last := len(words) - 1
		found, d := root.Candidates(words[:last], words[last])
		// If the option is part of the word, the scripts put it back.
		_, value, _ := strings.Cut(words[last], "=")
		isOption := strings.HasPrefix(words[last], "-")
		for _, c := range found {
			if !strings.HasPrefix(c.Word, words[last]) && (!isOption || !strings.HasPrefix(c.Word, value)) {
				t.Errorf("%q gives %q", words, c.Word)
			}
		}
		if !slices.Contains([]command.Directive{command.FilesToo, command.NoCompletion, command.NoFiles}, d) {
			t.Errorf("%q: directive %d", words, d)
		}
	})
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
