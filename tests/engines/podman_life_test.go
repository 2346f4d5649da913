// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// counter says 1, 2, 3 ... and ends with 7 when it is asked to.
const counter = `trap "echo stopping; exit 7" TERM; i=0; while :; do i=$((i+1)); echo count $i; sleep 0.1; done`

// testLife has what happens to a container between its start and its end.
func (p *podmanEngine) testLife(t *testing.T) {
	operation(t, "create and start", func(t *T) {
		id := p.create(t, "create", nil, "sh", "-c", "echo once")
		t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "created")
		t.equal("output", p.do(t, "start", "--attach", id), "once")
		t.equal("output", p.do(t, "start", "--attach", id), "once")
		p.do(t, "init", id)
		t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "initialized")
	})
	smoke(t, "logs and stop", func(t *T) {
		id := p.start(t, nil, "sh", "-c", counter)
		p.logs(t, id, "count 2")
		p.do(t, "stop", "--time", "30", id)
		t.equal("exit status", p.inspect(t, id, "{{.State.ExitCode}}"), "7")
		p.logs(t, id, "stopping")
		t.equal("tail", p.do(t, "logs", "--tail", "1", id), "stopping")
	})
	operation(t, "stop of one that does not listen", func(t *T) {
		id := p.start(t, nil, "sh", "-c", "trap : TERM; echo ready; while :; do sleep 1000; done")
		p.logs(t, id, "ready")
		p.do(t, "stop", "--time", "1", id)
		t.equal("exit status", p.inspect(t, id, "{{.State.ExitCode}}"), "137")
	})
	operation(t, "kill and wait", func(t *T) {
		id := p.start(t, nil, "sh", "-c", "trap 'echo heard' USR1; echo ready; while :; do sleep 0.1; done")
		p.logs(t, id, "ready")
		p.do(t, "kill", "--signal", "USR1", id)
		p.logs(t, id, "heard")
		p.do(t, "kill", id)
		t.equal("exit status", p.do(t, "wait", id), "137")
	})
	operation(t, "restart", func(t *T) {
		id := p.start(t, nil, "sh", "-c", counter)
		first := p.inspect(t, id, "{{.State.Pid}}")
		p.do(t, "restart", "--time", "1", id)
		if second := p.inspect(t, id, "{{.State.Pid}}"); second == first {
			t.Errorf("the same process %s", first)
		}
	})
	operation(t, "restart policy", func(t *T) {
		id := p.start(t, []string{"--restart", "on-failure:2"}, "false")
		p.state(t, id, "{{.RestartCount}} {{.State.Status}}", "2 exited")
	})
	operation(t, "pause", func(t *T) { p.pause(t) })
	operation(t, "top", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		t.contains("processes", p.do(t, "top", id, "pid", "user", "args"), "root", "sleep 1000")
	})
	operation(t, "stats", func(t *T) { p.stats(t) })
	operation(t, "update", func(t *T) { p.update(t) })
	operation(t, "clone", func(t *T) { p.clone(t) })
	operation(t, "health", func(t *T) { p.health(t) })
	operation(t, "attach", func(t *T) {
		id := p.create(t, "create", []string{"--interactive"}, "cat")
		out := p.command("start", "--attach", "--interactive", id).stdinOf([]byte("over and out\n")).run(t)
		t.equal("output", out, "over and out")
		id = p.start(t, nil, "sh", "-c", counter)
		p.logs(t, id, "count 1")
		time.AfterFunc(time.Second, func() { _ = p.command("stop", id).try(t) })
		r := p.try(t, "attach", id)
		t.contains("output", r.out, "count", "stopping")
	})
	operation(t, "terminal", func(t *T) {
		// With runc as with berth, podman now and then misses what is written just before the end.
		out := p.terminal(t, "run", "--rm", "--interactive", "--tty", "box", "sh", "-c", "tty; stty size; sleep 1")
		t.contains("output", out, "/dev/pts/0")
	})
	operation(t, "rename, cp, diff, commit, export", func(t *T) { p.files(t) })
	operation(t, "save and load", func(t *T) {
		file := filepath.Join(p.directory(t), "box.tar")
		p.do(t, "tag", "box", "spare")
		p.do(t, "save", "--output", file, "spare")
		p.do(t, "rmi", "spare")
		t.contains("what it loads", p.do(t, "load", "--input", file), "spare")
		p.do(t, "rmi", "spare")
	})
}

// terminal runs podman at a terminal.
func (p *podmanEngine) terminal(t *T, args ...string) string {
	t.Helper()
	line := "podman"
	for _, arg := range args {
		line += " '" + arg + "'"
	}
	return p.shell("script", "--quiet", "--return", "--command", line, "/dev/null").run(t)
}

func (p *podmanEngine) pause(t *T) {
	p.needController(t, "freezer")
	id := p.start(t, nil, "sh", "-c", counter)
	p.logs(t, id, "count 1")
	p.do(t, "pause", id)
	t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "paused")
	before := p.do(t, "logs", id)
	r := p.try(t, "exec", id, "true")
	if r.code == 0 {
		t.Errorf("a command runs in a paused container")
	}
	t.equal("the log", p.do(t, "logs", id), before)
	p.do(t, "unpause", id)
	p.logs(t, id, fmt.Sprintf("count %d", strings.Count(before, "count")+1))
}

func (p *podmanEngine) update(t *T) {
	p.needController(t, "memory")
	id := p.start(t, []string{"--memory", "64m", "--memory-swap", "64m"}, "sleep", "1000")
	p.do(t, "update", "--memory", "32m", "--cpus", "0.3", "--pids-limit", "30", id)
	files, want := "memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max", "33554432\n30000\n30"
	if p.mode() == "v2" {
		files, want = "memory.max cpu.max pids.max", "33554432\n30000 100000\n30"
	}
	t.equal("limits", p.do(t, "exec", id, "sh", "-c", "cd /sys/fs/cgroup; cat "+files), want)
}

func (p *podmanEngine) stats(t *T) {
	p.needController(t, "memory")
	id := p.start(t, []string{"--memory", "64m"}, "sleep", "1000")
	t.contains("figures", p.do(t, "stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", id), "67.11MB", " 1")
}

func (p *podmanEngine) clone(t *T) {
	p.needController(t, "memory")
	id := p.start(t, []string{"--memory", "64m", "--name", "first"}, "sleep", "1000")
	clone := p.do(t, "container", "clone", "--run", "--memory", "32m", id, "second")
	p.removeLater(t, clone)
	t.equal("limit", p.inspect(t, clone, "{{.HostConfig.Memory}} {{.State.Status}}"), "33554432 running")
}

// health has health checks that podman is told to run. Timers need systemd.
func (p *podmanEngine) health(t *T) {
	id := p.start(t, []string{"--health-cmd", "test -e /tmp/good", "--health-retries", "1", "--health-interval", "disable"}, "sh", "-c", "touch /tmp/good; echo ready; sleep 1000")
	p.logs(t, id, "ready")
	p.do(t, "healthcheck", "run", id)
	p.state(t, id, "{{.State.Health.Status}}", "healthy")
	p.do(t, "exec", id, "rm", "/tmp/good")
	if r := p.try(t, "healthcheck", "run", id); r.code == 0 {
		t.Errorf("the health check passes")
	}
	p.state(t, id, "{{.State.Health.Status}}", "unhealthy")
}

// files has what podman does with a container's files.
func (p *podmanEngine) files(t *T) {
	id := p.start(t, []string{"--name", "old"}, "sh", "-c", "echo cargo >/hold; sleep 1000")
	p.do(t, "rename", id, "new")
	dir := p.directory(t)
	t.until("the file", func() error {
		if r := p.try(t, "cp", "new:/hold", dir+"/hold"); r.code != 0 {
			return fmt.Errorf("%s", r.err)
		}
		return nil
	})
	p.do(t, "cp", dir+"/hold", "new:/tmp/again")
	t.equal("the copy", p.do(t, "exec", id, "cat", "/tmp/again"), "cargo")
	t.contains("changes", p.do(t, "diff", id), "A /hold", "A /tmp/again")
	t.Cleanup(func() { p.do(t, "rmi", "--force", "heavy") })
	p.do(t, "commit", "--quiet", id, "heavy")
	t.equal("in the new image", p.do(t, "run", "--rm", "heavy", "cat", "/hold"), "cargo")
	p.do(t, "export", "--output", dir+"/export.tar", id)
	t.contains("files", command{args: []string{"tar", "-tf", dir + "/export.tar"}}.run(t), "hold\n")
}
