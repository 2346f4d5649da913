// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"os/exec"
	"strings"
	"testing"
)

// hostile is a text of an image's or a container's: it sets the title of a terminal, and
// begins a line that looks as one of a log.
const hostile = "x\x1b]0;owned\a\nlevel=error msg=forged\n{\"level\":\"error\",\"msg\":\"forged\"}\n"

// injected says what of it has come through.
func injected(text string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "level=error msg=forged") || strings.HasPrefix(line, `{"level":"error","msg":"forged"}`) {
			return "a line of its own: " + line
		}
	}
	if strings.ContainsAny(text, "\x1b\a") {
		return "a control character"
	}
	return ""
}

// names are the ways of a text into a message, by what has it: the name of the program, that
// of its directory, and a path in the root file system.
var names = map[string]func(b *box){
	"program":   func(b *box) { b.spec.Process.Args = []string{"/bin/" + hostile} },
	"directory": func(b *box) { b.spec.Process.Cwd = "/etc/passwd/" + hostile },
	"mount":     func(b *box) { b.mount("/etc/passwd/"+hostile, "tmpfs", "tmpfs") },
	"masked": func(b *box) {
		b.spec.Linux.ReadonlyPaths = append(b.spec.Linux.ReadonlyPaths, "/etc/passwd/"+hostile)
		b.spec.Process.Args = []string{"/none"}
	},
}

// TestInjectMessages: what runtimes print, and what they write to their logs, is read by
// people on terminals and by programs line by line.
func TestInjectMessages(t *testing.T) {
	won := false
	for name, prepare := range names {
		for _, format := range []string{"text", "json"} {
			attack := func(s *stage) string {
				b := s.box("names")
				prepare(b)
				log := b.path("log")
				r := b.command("--log", log, "--log-format", format, "run", b.id)
				if got := injected(r.out); got != "" {
					return "on the terminal: " + got
				}
				if got := injected(read(log)); got != "" {
					return "in the log: " + got
				}
				return ""
			}
			for _, weak := range []string{"runc", "crun"} {
				if path, err := exec.LookPath(weak); err == nil {
					if got := onStage(t, path, true, attack); got != "" {
						t.Logf("%s, %s, %s: %s", name, format, weak, got)
						won = true
					}
				}
			}
			if got := onStage(t, suite.runtime, false, attack); got != "" {
				t.Errorf("%s, %s: the attack succeeds: %s", name, format, got)
			}
		}
	}
	if !won {
		t.Error("the attack gets nothing of runc and crun, where they are: it proves nothing")
	}
}

// TestInjectListings: a process of a container names itself, and ps shows it to the host.
func TestInjectListings(t *testing.T) {
	b := func(s *stage) *box {
		b := s.box("listed").sh(`exec /bin/sh -c 'while :; do sleep 1000; done' "$0"`)
		b.spec.Process.Args = append(b.spec.Process.Args, hostile)
		b.spec.Annotations = map[string]string{"a" + hostile: hostile}
		b.startOutput()
		return b
	}
	// The text is there: without a runtime in between it comes through.
	won := onStage(t, suite.runtime, true, func(s *stage) string {
		pid := strings.TrimSpace(read(b(s).path("pid")))
		return injected(read("/proc/" + pid + "/cmdline"))
	})
	if won == "" {
		t.Error("the process does not have the text: this proves nothing")
	}
	if won := onStage(t, suite.runtime, false, func(s *stage) string {
		c := b(s)
		for _, args := range [][]string{{"ps", c.id}, {"ps", "--format", "json", c.id}, {"list"}, {"state", c.id}, {"events", "--stats", c.id}} {
			if got := injected(c.must(args...).out); got != "" {
				return strings.Join(args, " ") + ": " + got
			}
		}
		return ""
	}); won != "" {
		t.Errorf("the attack succeeds: %s", won)
	}
}
