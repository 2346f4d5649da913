// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestErrorOnTerminal: at a terminal an error is in plain words, with a colour if that is wanted. What
// engines read stays as it is: a format or a log that was asked for, and whatever is no terminal.
func TestErrorOnTerminal(t *testing.T) {
	onlyBerth(t)
	const missing = `exec: "/no/such": stat /no/such: no such file or directory`
	const engines = `unable to start container process: error during container init: `
	for _, tc := range []struct {
		name, term, noColor string
		options             []string
		begin, has          string
	}{
		{"colour", "xterm", "", nil, "\x1b[1;31mberth:\x1b[0m " + missing, ""},
		{"NO_COLOR", "xterm", "1", nil, "berth: " + missing, ""},
		{"dumb", "dumb", "", nil, "berth: " + missing, ""},
		{"debug", "dumb", "", []string{"--debug"}, "[ ", "\nberth: " + missing},
		{"format", "xterm", "", []string{"--log-format", "text"}, "time=", engines},
		{"json", "xterm", "", []string{"--log-format", "json"}, `{"code":"exec-not-found","level":"error"`, engines},
		{"log", "xterm", "", []string{"--log", "log"}, "berth run failed: " + engines, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("TERM", tc.term)
			t.Setenv("NO_COLOR", tc.noColor)
			c := newContainer(t).args("/no/such")
			c.write()
			p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, append(tc.options, "run", c.id)...)
			if status := p.end(); status != 1 {
				t.Errorf("status %d", status)
			}
			said := strings.ReplaceAll(p.seen.String(), "\r\n", "\n")
			if !strings.HasPrefix(said, tc.begin) || !strings.Contains(said, tc.has) {
				t.Errorf("said %q, want %q and %q", said, tc.begin, tc.has)
			}
			if tc.term == "dumb" && strings.Contains(said, "\x1b") {
				t.Errorf("colour in %q", said)
			}
		})
	}
}

// TestWarningOnTerminal: the same for the warning of a command that succeeds.
func TestWarningOnTerminal(t *testing.T) {
	onlyBerth(t)
	t.Setenv("TERM", "dumb")
	c := newContainer(t).args("true")
	c.mount("mnt", "tmpfs", "tmpfs")
	c.write()
	p := c.onTerminal(unix.Winsize{Row: 24, Col: 80}, "run", c.id)
	if status := p.end(); status != 0 || !strings.HasPrefix(p.seen.String(), "berth: warning: mounts[") {
		t.Errorf("status %d, said %q", status, p.seen.String())
	}
}

// TestExplainedAtStart: only the start can find out that the kernel does not execute a file. It
// explains this whoever runs the container, and with a filter that does not let init look, the error
// alone is left.
func TestExplainedAtStart(t *testing.T) {
	onlyBerth(t)
	for _, tc := range []struct {
		name, content, want string
		filter              bool
	}{
		{"empty", "", "exec /prog: exec format error (it is empty)", false},
		{"interpreter", "#!/no/such\n", "exec /prog: no such file or directory (the script wants the interpreter /no/such, which is not there)", false},
		{"filter that kills", "#!/no/such\n", "exec /prog: no such file or directory\n", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).args("/prog")
			c.file("prog", tc.content, 0o755)
			if tc.filter {
				c.killsOn("stat", "newfstatat", "statx", "openat", "open")
			}
			c.create()
			r := c.command("start", c.id)
			said := strings.TrimSuffix(strings.ReplaceAll(r.stderr, `\"`, `"`), "\"\n") + "\n"
			if r.status != 1 || !strings.Contains(said, tc.want) {
				t.Errorf("status %d, %q, want %q", r.status, said, tc.want)
			}
		})
	}
}

// TestExplainedExec: the same for exec, with what a container may have swapped for a program: a FIFO
// must not make it wait.
func TestExplainedExec(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	c.file("prog", "#!/fifo\n", 0o755)
	c.makeFifo("fifo")
	c.file("loop", "#!/loop\n", 0o755)
	c.file("long", "#!/"+strings.Repeat("x", 5000), 0o755)
	c.file("elf", elfFor(ownMachine(), strings.Repeat("/", 4090)), 0o755)
	if err := os.Truncate(c.rootfs("elf"), 130); err != nil {
		t.Fatal(err)
	}
	c.running()
	for program, want := range map[string]string{
		"/prog": "(the script wants the interpreter /fifo: /fifo is a FIFO, and no file with a program)",
		"/loop": "exec /loop: too many levels of symbolic links (the interpreters are scripts themselves, on too many levels)",
		"/long": "exec /long: exec format error (it has a shebang line (#!) that is longer than the 255 bytes that the kernel reads)",
		"/elf":  "exec /elf: ",
	} {
		c.command("exec", c.id, program).code(255).fails(want, "")
	}
}

// killsOn gives the container a filter that kills it for these system calls.
func (c *container) killsOn(names ...string) {
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: names, Action: specs.ActKillProcess}},
	}
}

// TestUnexplainedWithAgent: with a filter that notifies, init does not look at the program, because the
// agent would be asked about each call.
func TestUnexplainedWithAgent(t *testing.T) {
	onlyBerth(t)
	for _, program := range []string{"/no/such", "/prog"} {
		c := newContainer(t).args(program)
		c.file("prog", "#!/no/such\n", 0o755)
		a := newAgent(c, refuse)
		a.notify(c, "stat", "newfstatat", "statx", "faccessat2")
		r := c.run()
		if r.status != 1 || !strings.Contains(r.stderr, "no such file or directory\"") {
			t.Errorf("%s: status %d, %q", program, r.status, r.stderr)
		}
	}
}
