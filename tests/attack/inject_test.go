// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// hostile is a text from an image or a container. It sets the title of a terminal, and starts a
// line that looks like a line of a log.
const hostile = "x\x1b]0;owned\a\nlevel=error msg=forged\n{\"level\":\"error\",\"msg\":\"forged\"}\n"

// injected returns which part of the attack is in a text.
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

// names are the ways by which the text gets into a message: the name of the program, its working
// directory, and a path in the root file system.
var names = map[string]func(b *box){
	"program":   func(b *box) { b.spec.Process.Args = []string{"/bin/" + hostile} },
	"directory": func(b *box) { b.spec.Process.Cwd = "/etc/passwd/" + hostile },
	"mount":     func(b *box) { b.mount("/etc/passwd/"+hostile, "tmpfs", "tmpfs") },
	"masked": func(b *box) {
		b.spec.Linux.ReadonlyPaths = append(b.spec.Linux.ReadonlyPaths, "/etc/passwd/"+hostile)
		b.spec.Process.Args = []string{"/none"}
	},
}

// TestInjectMessages: people read the messages of runtimes on terminals, and programs read logs
// line by line.
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
		t.Error("the attack does not succeed on runc or crun, if they are installed: it proves nothing")
	}
}

// TestInjectListings: a process in a container sets its own name, which ps shows on the host.
func TestInjectListings(t *testing.T) {
	b := func(s *stage) *box {
		b := s.box("listed").sh(`exec /bin/sh -c 'while :; do sleep 1000; done' "$0"`)
		b.spec.Process.Args = append(b.spec.Process.Args, hostile)
		b.spec.Annotations = map[string]string{"a" + hostile: hostile}
		b.startOutput()
		return b
	}
	// The text is unchanged if no runtime is involved.
	won := onStage(t, suite.runtime, true, func(s *stage) string {
		pid := strings.TrimSpace(read(b(s).path("pid")))
		// The shell executes another one, and has no arguments in between.
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if got := injected(read("/proc/" + pid + "/cmdline")); got != "" {
				return got
			}
		}
		return ""
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
