// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// topRow is a container in the JSON of top.
type topRow struct {
	ID, Status string
	CPU        *float64 `json:"cpu_percent"`
	Memory     *uint64  `json:"memory_bytes"`
	Limit      *uint64  `json:"memory_limit_bytes"`
	Tasks      *uint64
	OOMKills   *uint64 `json:"oom_kills"`
	Received   *uint64 `json:"network_received_bytes"`
}

func topRows(t *testing.T, line string) map[string]topRow {
	t.Helper()
	var sample struct {
		Interval   float64 `json:"interval_seconds"`
		Containers []topRow
	}
	decode(t, line, &sample)
	if sample.Interval <= 0 {
		t.Errorf("an interval of %v in %s", sample.Interval, line)
	}
	rows := map[string]topRow{}
	for _, r := range sample.Containers {
		rows[r.ID] = r
	}
	return rows
}

// TestTop: the numbers are those of the containers that run.
func TestTop(t *testing.T) {
	c := newContainer(t)
	begun := c.fifo("begun")
	c.sh("while :; do :; done & echo go >/begun; exec sleep 10000")
	limited := suite.users.haveCgroups() && !suite.unified
	if limited {
		c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}}
	}
	c.create().start()
	begun.line()
	idle := anotherContainer(t, c).create()
	gone := anotherContainer(t, c).create().start()
	gone.wait()
	r := c.command("top", "--no-stream", "--interval", "100ms", "--format", "json").must()
	rows := topRows(t, r.out)
	busy := rows[c.id]
	if _, ok := rows[gone.id]; ok || len(rows) != 2 || busy.Status != "running" || rows[idle.id].Status != "created" || r.stderr != "" {
		t.Fatalf("printed %s and %q", r.out, r.stderr)
	}
	switch {
	case suite.users.haveCgroups() && (busy.CPU == nil || *busy.CPU <= 0 || busy.Tasks == nil || *busy.Tasks != 2), busy.Received == nil,
		limited && (busy.Memory == nil || *busy.Memory == 0 || busy.Limit == nil || *busy.Limit != 64<<20 || busy.OOMKills == nil || *busy.OOMKills != 0):
		t.Errorf("printed %s", r.out)
	}
	// stats is the other name. The one with the most is the first.
	out := strings.Split(c.command("stats", "--no-stream", "--interval", "100ms").must().out, "\n")
	if len(out) != 4 || !strings.HasPrefix(out[0], "ID  ") || !strings.HasPrefix(out[1], c.id+" ") || !strings.HasPrefix(out[2], idle.id+" (created) ") {
		t.Errorf("printed %q", out)
	}
}

// TestTopOOM: a process that was killed for lack of memory is counted, and so is the most memory.
func TestTopOOM(t *testing.T) {
	c := newContainer(t)
	needController(t, "memory")
	done := c.fifo("done")
	c.sh("tail /dev/zero; echo over >/done; exec sleep 10000")
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}
	c.create().start()
	done.line()
	row := topRows(t, c.command("top", "--no-stream", "--interval", "100ms", "--format", "json").must().out)[c.id]
	if row.OOMKills == nil || *row.OOMKills != 1 || row.Limit == nil || *row.Limit != 16<<20 {
		t.Errorf("%+v", row)
	}
}

func TestTopErrors(t *testing.T) {
	c := newContainer(t)
	c.command("--root", c.path("none"), "top", "--no-stream").fails("none: no such file or directory", "")
	c.command("top", "--sort", "size").fails(`--sort: unknown key "size", must be one of cpu, memory,`, "")
	c.command("top", "--interval", "1ms").fails("--interval: must be at least 100ms", "")
	c.command("top", "--format", "xml").fails(`invalid format option "xml"`, "")
	c.command("top", "x").fails("requires exactly 0 argument(s)", "")
}

// screen is a terminal of tmux, whose shell runs commands.
type screen struct {
	t      *testing.T
	socket string
}

func newScreen(c *container) *screen {
	c.t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		c.t.Skip("requires tmux")
	}
	s := &screen{c.t, c.path("tmux")}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "16", "env", "PS1=$ ", "sh")
	c.t.Cleanup(func() { s.tmux("kill-server") })
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// shows waits until the screen matches.
func (s *screen) shows(pattern string) []string {
	s.t.Helper()
	expression := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(time.Minute); ; {
		text := s.tmux("capture-pane", "-p")
		if m := expression.FindStringSubmatch(text); m != nil {
			return m
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no %s on the screen:\n%s", pattern, text)
		}
	}
}

// run types a command, which is followed by its status and the terminal's echo.
func (s *screen) run(command string) {
	s.t.Helper()
	s.tmux("send-keys", "clear; "+command+`; echo "status=$?" $(stty -a | grep -o '.echo ')`, "Enter")
}

// ended waits for the end of the command. The terminal must be as before: it echoes, and shows what
// it has shown, without the table.
func (s *screen) ended(status int) {
	s.t.Helper()
	s.shows(fmt.Sprintf(`(?m)^status=%d echo$`, status))
	if text := s.tmux("capture-pane", "-p"); strings.Contains(text, "q quit") {
		s.t.Errorf("the table is still there:\n%s", text)
	}
}

// TestTopLive: the table on a terminal follows keys and sizes, and whatever ends it leaves the
// terminal as it was.
func TestTopLive(t *testing.T) {
	only(t, suite.users.name == "root", "root")
	c := newContainer(t)
	s := newScreen(c)
	bin := filepath.Dir(suite.runtime)
	if _, err := os.Stat(filepath.Join(bin, "berth-top")); err != nil {
		t.Fatal(err)
	}
	c.running()
	idle := anotherContainer(t, c).running()
	top := suite.runtime + " --root " + c.state + " top --interval 100ms"
	begin := func(more string) {
		t.Helper()
		s.run(top + more)
		s.shows(`(?s)^berth top  \d\d:\d\d:\d\d  2 containers  by `)
	}
	begin("")
	s.shows(`\n` + c.id + ` +\d+\.\d .*\n` + idle.id + ` `)
	s.tmux("send-keys", "d")
	s.shows(`by id\n`)
	s.tmux("send-keys", "r")
	s.shows(`by id, reversed\n`)
	s.tmux("resize-window", "-x", "60", "-y", "8")
	s.shows(`(?s)^(.{0,60}\n){7}q quit  r reverse`)
	s.tmux("resize-window", "-x", "120", "-y", "16")
	s.tmux("send-keys", "q")
	s.ended(0)

	begin(" --sort memory")
	s.shows(`by memory`)
	for _, killed := range []struct {
		name   string
		signal string
		status int
	}{{"berth-top", "TERM", 0}, {"berth-top", "KILL", 1}, {"berth", "TERM", 128 + 15}, {"berth", "KILL", 128 + 9}} {
		viewer := s.kill(killed.name, killed.signal)
		if err := pollIn(viewer); err != nil { // which may be the last to end
			t.Fatal(err)
		}
		if killed.status != 128+9 { // which the shell may have written to the viewer's screen
			s.shows(fmt.Sprintf(`(?m)^status=%d `, killed.status))
		}
		s.run("(exit 42)")
		s.ended(42)
		begin("")
	}
	s.tmux("send-keys", "C-c")
	s.ended(0)

	// Without the second program.
	alone := c.path("berth")
	if out, err := exec.Command("cp", suite.runtime, alone).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	s.run(alone + " --root " + c.state + " top --interval 100ms")
	s.shows(`(?s)\n?ID +CPU .*` + c.id + `.*berth-top beside berth or in`)
	s.ended(0)
}

// kill sends a signal to berth, the child of the shell, or to berth-top, the child of that, and
// returns a pidfd of berth-top.
func (s *screen) kill(name, signal string) (viewer int) {
	s.t.Helper()
	pid := strings.TrimSpace(s.tmux("display-message", "-p", "#{pane_pid}"))
	for _, generation := range [...]string{"berth", "berth-top"} {
		// A child belongs to the thread that has started it.
		files, err := filepath.Glob("/proc/" + pid + "/task/*/children")
		var children []string
		for _, file := range files {
			text, rerr := os.ReadFile(file)
			if !errors.Is(rerr, os.ErrNotExist) && !errors.Is(rerr, unix.ESRCH) {
				err = errors.Join(err, rerr) // a thread may have ended
			}
			children = append(children, strings.Fields(string(text))...)
		}
		if err != nil || len(children) != 1 {
			s.t.Fatalf("children of process %s: %q, %v", pid, children, err)
		}
		pid = children[0]
		if generation == name {
			defer func(pid string) {
				if out, err := exec.Command("kill", "-"+signal, pid).CombinedOutput(); err != nil {
					s.t.Errorf("%s", out)
				}
			}(pid)
		}
	}
	n, err := strconv.Atoi(pid)
	if err == nil {
		viewer, err = unix.PidfdOpen(n, 0)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(viewer) })
	return viewer
}
