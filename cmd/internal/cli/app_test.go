// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// outcome is the result of one invocation.
type outcome struct {
	status         int
	stdout, stderr string
}

// invoke runs a command line in this process.
func invoke(t *testing.T, argv0 string, argv ...string) outcome {
	t.Helper()
	dir := t.TempDir()
	files := make([]*os.File, 3)
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	status := newApp(argv0, files[0], files[1], files[2]).main(argv)
	read := func(i int) string {
		text, err := os.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return outcome{status, read(1), read(2)}
}

func TestInvocations(t *testing.T) {
	root := t.TempDir()
	tests := []struct {
		name   string
		argv   []string
		status int
		stdout string // fragment; "" means nothing at all
		stderr string // fragment; "" means nothing at all
	}{
		{"help", nil, 0, "USAGE:\n  berth [command]\n\nCOMMANDS:\n", ""},
		{"--help", []string{"--help"}, 0, "--log-format FORMAT ", ""},
		{"help of a command", []string{"help", "kill"}, 0, "USAGE:\n  berth kill [flags] CONTAINER [SIGNAL]\n", ""},
		{"--help of a command", []string{"create", "--help"}, 0, "  -b, --bundle DIR ", ""},
		{"-h of a command", []string{"kill", "-h"}, 0, "berth kill [flags]", ""},
		{"-help of a command", []string{"run", "id", "-help"}, 0, "berth run [flags]", ""},
		{"help of the whole", []string{"h"}, 0, "COMMANDS:", ""},
		{"help of nothing", []string{"help", "bogus"}, 1, "", `no help for unknown command \"bogus\"`},
		{"version", []string{"-v"}, 0, "berth version " + Version() + "\n", ""},
		{"unknown command", []string{"bogus"}, 1, "", `unknown command \"bogus\"`},
		{"unknown global flag", []string{"--bogus"}, 1, "", "unknown flag: --bogus"},
		{"misspelt global flag", []string{"--debgu"}, 1, "", `unknown flag: --debgu (did you mean \"--debug\"?)`},
		{"misspelt flag", []string{"delete", "--forse", "x"}, 1, "", `unknown flag: --forse (did you mean \"--force\"?)`},
		{"misspelt command", []string{"creat", "x"}, 1, "", `unknown command \"creat\" (did you mean \"create\"?)`},
		{"misspelt signal", []string{"kill", "x", "TREM"}, 1, "", `unknown signal \"TREM\" (did you mean \"TERM\"?)`},
		{"unknown flag", []string{"state", "--bogus"}, 1, "", "unknown flag: --bogus"},
		{"too few arguments", []string{"state"}, 1, "Incorrect Usage.\n\nNAME:\n   berth state - ", `berth: \"state\" requires exactly 1 argument(s)`},
		{"too many arguments", []string{"kill", "a", "b", "c"}, 1, "Incorrect Usage.", `berth: \"kill\" requires a maximum of 2 argument(s)`},
		{"no arguments", []string{"kill"}, 1, "Incorrect Usage.", `berth: \"kill\" requires a minimum of 1 argument(s)`},
		{"arguments where there are none", []string{"list", "x"}, 1, "Incorrect Usage.", `berth: \"list\" requires exactly 0 argument(s)`},
		{"empty command", []string{""}, 1, "", `unknown command \"\"`},
		{"command after a double dash", []string{"--", "-v"}, 1, "", `unknown command \"-v\"`},
		{"a global option after the command", []string{"list", "--root", root}, 1, "", "unknown flag: --root"},
		{"missing value", []string{"create", "-bundle"}, 1, "", "berth create failed: flag needs an argument: --bundle"},
		{"missing global value", []string{"-root"}, 1, "", "flag needs an argument: --root"},
		{"bad signal", []string{"kill", "id", "FOO"}, 1, "", `unknown signal \"FOO\"`},
		{"bad rootless", []string{"--rootless=x", "run", "id"}, 1, "", `berth run failed: invalid value \"x\" for --rootless`},
		{"negative fds", []string{"create", "--preserve-fds", "-1", "id"}, 1, "", "--preserve-fds: -1 is negative"},
		{"missing bundle", []string{"create", "-b", "/nonexistent", "id"}, 1, "", "berth create failed: chdir /nonexistent: no such file or directory"},
		{"missing root", []string{"--root", "/nonexistent", "list"}, 1, "", "open /nonexistent: no such file or directory"},
		{"list format", []string{"--root", root, "list", "-f", "xml"}, 1, "", `invalid format option \"xml\" (table and json are known)`},
		{"single dashes", []string{"-root", root, "list", "-format", "json"}, 0, "null\n", ""},
		{"option after the arguments", []string{"-root", root, "delete", "nope", "-force"}, 0, "", ""},
		{"shell", []string{"completion", "tcsh"}, 1, "", `no completion for shell \"tcsh\"`},
		{"no shell", []string{"completion"}, 1, "Incorrect Usage.", `requires exactly 1 argument(s)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(t, "/usr/bin/berth", test.argv...)
			if got.status != test.status {
				t.Errorf("exit status %d, want %d", got.status, test.status)
			}
			for _, stream := range []struct{ name, got, want string }{{"stdout", got.stdout, test.stdout}, {"stderr", got.stderr, test.stderr}} {
				if !strings.Contains(stream.got, stream.want) || stream.want == "" && stream.got != "" {
					t.Errorf("%s %q, want %q", stream.name, stream.got, stream.want)
				}
			}
			if n := strings.Count(got.stderr, "\n"); n != test.status {
				t.Errorf("%d lines on stderr", n)
			}
		})
	}
}

func TestNamedRunc(t *testing.T) {
	if got := invoke(t, "/usr/sbin/runc", "--version"); !strings.HasPrefix(got.stdout, "runc version "+Version()+"\n") {
		t.Errorf("--version prints %q", got.stdout)
	}
	if got := invoke(t, "runc", "--systemd-cgroup", "run", "id"); !strings.Contains(got.stderr, `"runc run failed: `) {
		t.Errorf("error %q", got.stderr)
	}
}

// TestLogOfUsageError: engines read the log, even for errors in the command line.
func TestLogOfUsageError(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	got := invoke(t, "berth", "--log", log, "--log-format=json", "nonesuch", "id", "true")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != 1 || !strings.HasPrefix(got.stderr, `unknown command "nonesuch"`) || !strings.Contains(string(text), `unknown command \"nonesuch\"`) {
		t.Errorf("status %d, stderr %q, log %q", got.status, got.stderr, text)
	}
}

func TestWriteNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := writeNewFile(path, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := writeNewFile(path, []byte("2")); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("second write: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "1" {
		t.Errorf("content %q, %v", text, err)
	}
}

// TestVersionFile: the version is one of semver.org, which VERSION in the top folder shows, and the
// changelog has it.
func TestVersionFile(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9a-z.]+)?$`).MatchString(Version()) {
		t.Errorf("version %q", Version())
	}
	text, err := os.ReadFile("../../../VERSION")
	if err != nil || string(text) != versionFile {
		t.Errorf("VERSION has %q, %v", text, err)
	}
	release, _, _ := strings.Cut(Version(), "-")
	if changes, err := os.ReadFile("../../../CHANGELOG.md"); err != nil || !strings.Contains(string(changes), "\n## ["+release+"]") {
		t.Errorf("CHANGELOG.md does not have %s: %v", release, err)
	}
}
