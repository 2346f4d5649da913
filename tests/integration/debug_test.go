// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// debugCommand is a command and some of the steps in its debug log.
type debugCommand struct {
	args  []string
	steps []string
}

// debugCommands are the commands of a container's life.
func debugCommands(c *container) []debugCommand {
	return []debugCommand{
		{[]string{"create", "--bundle", c.dir, c.id}, []string{
			"read config.json", "make the state directory", "make the cgroup and start init", "mount proc",
			"set the limits of the cgroup", "seccomp filter flags: 2", "no new privileges", "exec [", "waits for the start",
		}},
		{[]string{"start", c.id}, []string{"read its state", "take the lock", "go on", "the program runs"}},
		{[]string{"state", c.id}, []string{"read its state", "find out how init"}},
		{[]string{"list"}, []string{"read its state", "find out how init"}},
		{[]string{"exec", c.id, "true"}, []string{"find the container", "start init in the cgroup", "seccomp filter flags: 2", "the program runs"}},
		{[]string{"ps", c.id}, []string{"read the processes of the cgroups"}},
		{[]string{"events", "--stats", c.id}, []string{"read the statistics of the cgroups"}},
		{[]string{"mounts", "add", c.id, c.path("mounts.json")}, []string{"take the lock", "it is running", `mounts[0]: mount tmpfs "tmpfs" on /added`}},
		{[]string{"mounts", "remove", c.id, c.path("mounts.json")}, []string{"take the lock", "mounts[0]: unmount /added"}},
		{[]string{"kill", c.id, "CONT"}, []string{"signal 18", "has the signal"}},
	}
}

// debugEnd are the commands that end a container.
func debugEnd(c *container) []debugCommand {
	return []debugCommand{
		{[]string{"kill", c.id, "KILL"}, []string{"signal 9", "has the signal"}},
		{[]string{"wait", c.id}, []string{"read its state", "wait for the end of init"}},
		{[]string{"delete", "--force", c.id}, []string{"delete: take the lock", "remove the cgroups", "remove the state directory"}},
	}
}

// debugCgroup are the commands that need a cgroup.
func debugCgroup(c *container) []debugCommand {
	limits := `{"pids":{"limit":77}}`
	if suite.unified {
		limits = "{}" // there may be no controller
	}
	c.content(c.path("limits.json"), limits)
	return []debugCommand{
		{[]string{"update", "--resources", c.path("limits.json"), c.id}, []string{
			"take the lock", "it is running", "change the limits of the cgroups: " + limits, "keep the limits",
		}},
		{[]string{"pause", c.id}, []string{"take the lock", "it is running", "freeze the cgroups"}},
		{[]string{"resume", c.id}, []string{"it is paused", "thaw the cgroups"}},
	}
}

// debugCriu are the commands that need criu.
func debugCriu(c *container) []debugCommand {
	image := c.path("image")
	return []debugCommand{
		{[]string{"checkpoint", "--image-path", image, c.id}, []string{
			"take the lock", "it is running", "prepare criu, images in " + image, "save the processes", "from outside are", "whose log is", "remove the state directory",
		}},
		{[]string{"restore", "--detach", "--bundle", c.dir, "--image-path", image, c.id}, []string{
			"read config.json", "prepare criu", "images in " + image, "make the state directory", "let criu restore the processes",
			"criu is at post-restore", "restored", "hand over the console",
		}},
	}
}

// TestDebugSteps: at log level debug, each command logs its steps as whole lines of the requested
// format. Without the option there are none.
func TestDebugSteps(t *testing.T) {
	for _, f := range debugFormats {
		t.Run(f.name, func(t *testing.T) {
			c := newDebugged(t)
			commands := debugCommands(c)
			if suite.users.haveCgroups() {
				commands = append(commands, debugCgroup(c)...)
			}
			c.checkSteps(f, append(commands, debugEnd(c)...))
		})
	}
}

// TestDebugCriuSteps: checkpoint and restore log theirs too.
func TestDebugCriuSteps(t *testing.T) {
	for _, f := range debugFormats {
		t.Run(f.name, func(t *testing.T) {
			c := newDebugged(t)
			needCriu(t)
			c.spec.Process.NoNewPrivileges = criuVersion(t) >= "4"
			c.detached("run", "--detach", "--pid-file", c.path("pid"), c.id).must()
			c.pid = c.readPID()
			c.checkSteps(f, append(debugCriu(c), debugEnd(c)...))
		})
	}
}

// debugFormats are the log options for each format.
var debugFormats = []debugFormat{
	{"text", []string{"--debug"}},
	{"json", []string{"--log-format", "json", "--log-level", "debug"}},
	{"none", nil},
}

type debugFormat struct {
	name    string
	options []string
}

func newDebugged(t *testing.T) *container {
	t.Helper()
	c := newContainer(t).args("tail", "-f", "/dev/null") // a sleep may end when it is restored
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
	}
	c.content(c.path("mounts.json"), `[{"destination":"/added","type":"tmpfs","source":"tmpfs"}]`)
	c.write()
	return c
}

// checkSteps runs the commands and checks the log of each.
func (c *container) checkSteps(f debugFormat, commands []debugCommand) {
	t := c.t
	t.Helper()
	log := c.path("debug.log")
	for _, command := range commands {
		_ = os.Remove(log)
		args := slices.Concat([]string{suite.runtime}, c.globals(), []string{"--log", log}, f.options, command.args)
		// A checkpoint can only refer to files of the host that everybody can open.
		r := c.shell(`exec "$@" </dev/null >/dev/null 2>&1`, args...)
		said, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if r.status != 0 {
			t.Fatalf("%s: status %d, log %s", command.args[0], r.status, said)
		}
		if f.options == nil {
			if len(said) > 0 {
				t.Errorf("%s without the option: %q", command.args[0], said)
			}
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
			checkDebugLine(t, f.name == "json", line)
		}
		for _, step := range command.steps {
			plain := strings.ReplaceAll(string(said), `\"`, `"`)
			if !strings.Contains(plain, step) {
				t.Errorf("%s: %q is not in\n%s", command.args[0], step, said)
			}
		}
	}
}

func checkDebugLine(t *testing.T, isJSON bool, line string) {
	t.Helper()
	if !isJSON {
		if !strings.HasPrefix(line, "time=") || !strings.Contains(line, " level=debug msg=") {
			t.Errorf("line %q", line)
		}
		return
	}
	var entry struct {
		Level, Msg string
		Time       time.Time
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level != "debug" || entry.Msg == "" {
		t.Errorf("line %q: %v", line, err)
	}
}
