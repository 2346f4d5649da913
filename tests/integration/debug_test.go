// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// debugCommands are the commands of a container's life, each with what is among its steps.
func debugCommands(c *container) []struct {
	args  []string
	steps []string
} {
	return []struct {
		args  []string
		steps []string
	}{
		{[]string{"create", "--bundle", c.dir, c.id}, []string{
			"read config.json", "make the state directory", "make the cgroup and start init", "mount proc",
			"set the limits of the cgroup", "seccomp filter flags: 2", "no new privileges", "exec [", "waits for the start",
		}},
		{[]string{"start", c.id}, []string{"take the lock", "go on", "the program runs"}},
		{[]string{"exec", c.id, "true"}, []string{"find the container", "start init in the cgroup", "seccomp filter flags: 2", "the program runs"}},
		{[]string{"pause", c.id}, []string{"change its cgroups"}},
		{[]string{"resume", c.id}, []string{"change its cgroups"}},
		{[]string{"kill", c.id, "KILL"}, []string{"signal 9", "has the signal"}},
		{[]string{"delete", "--force", c.id}, []string{"delete: take the lock", "remove the cgroups", "remove the state directory"}},
	}
}

// TestDebugSteps: at level debug each command tells its steps, whole lines of the format that was
// asked for, and without the option none.
func TestDebugSteps(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []string
	}{
		{"text", []string{"--debug"}},
		{"json", []string{"--log-format", "json", "--log-level", "debug"}},
		{"none", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newContainer(t).args("sleep", "10000")
			c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
			}
			c.write()
			log := c.path("debug.log")
			for _, command := range debugCommands(c) {
				_ = os.Remove(log)
				c.command(append(append([]string{"--log", log}, tt.options...), command.args...)...).must()
				said, err := os.ReadFile(log)
				if err != nil {
					t.Fatal(err)
				}
				if tt.options == nil {
					if len(said) > 0 {
						t.Errorf("%s without the option: %q", command.args[0], said)
					}
					continue
				}
				for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
					checkDebugLine(t, tt.name == "json", line)
				}
				for _, step := range command.steps {
					if !strings.Contains(string(said), step) {
						t.Errorf("%s: %q is not in\n%s", command.args[0], step, said)
					}
				}
			}
		})
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
