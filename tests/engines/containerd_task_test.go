// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// atOnce calls f that often at the same time, and waits for all.
func atOnce(t *T, n int, f func(t reporter, i int)) {
	t.Helper()
	var group sync.WaitGroup
	parts := make([]*T, n)
	for i := range n {
		parts[i] = &T{name: t.name}
		group.Go(func() { parts[i].perform(func(t *T) { f(t, i) }) })
	}
	group.Wait()
	for _, part := range parts {
		t.lines, t.failed = append(t.lines, part.lines...), t.failed || part.failed
	}
}

// tasks are containers in the background.
func (c *containerdEngine) tasks(t *testing.T) {
	smoke(t, "exec", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		t.equal("output", c.exec(t, "one", "echo", "hello"), "hello")
		r := ctr("tasks", "exec", "--exec-id", "x", "one", "sh", "-c", "exit 9").try(t)
		t.equal("exit status", strconv.Itoa(r.code), "9")
		r = ctr("tasks", "exec", "--exec-id", "x", "one", "/no/such").try(t)
		t.contains("message", r.err, `exec: "/no/such": stat /no/such: no such file or directory`)
		ctr("tasks", "exec", "--exec-id", "x", "--user", "1000", "--cwd", "/tmp", "one", "sh", "-c", "test $(id -u):$(pwd) = 1000:/tmp").run(t)
		line := ctr("tasks", "exec", "--exec-id", "x", "one", "sh", "-c", "test $(cat) = input")
		line.stdin = "input"
		line.run(t)
	})
	operation(t, "exec, terminal", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		out := onTerminal(t, ctr("tasks", "exec", "--tty", "--exec-id", "x", "one", "sh", "-c", "tty; until stty size 2>/dev/null | grep \"40 100\"; do usleep 10000; done; exit 3"), 3)
		t.contains("terminal", out, "/dev/pts/", "40 100")
	})
	operation(t, "exec, detached", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		ctr("tasks", "exec", "--detach", "--exec-id", "background", "one", "sleep", "1001").run(t)
		t.contains("processes", ctr("tasks", "ps", "one").run(t), "background")
	})
	operation(t, "exec, 50 at once", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		atOnce(t, 50, func(t reporter, i int) {
			// Not what it prints: see exec.
			r := ctr("tasks", "exec", "--exec-id", fmt.Sprint("x", i), "one", "sh", "-c", fmt.Sprintf("exit %d", i)).try(t)
			if r.code != i {
				t.Errorf("exec %d: exit status %d: %s", i, r.code, r.err)
			}
		})
	})
	operation(t, "ps", func(t *T) {
		c.detached(t, "one", nil, "sh", "-c", "sleep 1000 & sleep 1001")
		t.until("two processes", func() error {
			if out := ctr("tasks", "ps", "one").run(t); len(strings.Split(strings.TrimSpace(out), "\n")) != 3 {
				return errors.New(out)
			}
			return nil
		})
		t.contains("list", ctr("tasks", "list").run(t), "one", "RUNNING")
	})
	operation(t, "metrics", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		out := ctr("tasks", "metrics", "--format", "json", "one").run(t)
		var metrics map[string]any
		if err := json.Unmarshal([]byte(out), &metrics); err != nil || len(metrics) == 0 {
			t.Errorf("metrics: %v: %s", err, out)
		}
		t.contains("metrics", out, `"current": 1`)
	})
	operation(t, "pause and resume", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		ctr("tasks", "pause", "one").run(t)
		t.contains("list", ctr("tasks", "list").run(t), "PAUSED")
		ctr("tasks", "resume", "one").run(t)
		t.contains("list", ctr("tasks", "list").run(t), "RUNNING")
		t.equal("exec", c.exec(t, "one", "echo", "here"), "here")
	})
	operation(t, "signals", func(t *T) {
		c.detached(t, "one", nil, "sh", "-c", "trap 'echo usr1 >/tmp/got' USR1; trap 'exit 5' TERM; touch /tmp/ready; while :; do usleep 20000; done")
		t.until("ready", func() error {
			if r := ctr("tasks", "exec", "--exec-id", "x", "one", "test", "-e", "/tmp/ready").try(t); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
		ctr("tasks", "kill", "--signal", "USR1", "one").run(t)
		t.until("the signal", func() error {
			if r := ctr("tasks", "exec", "--exec-id", "x", "one", "grep", "usr1", "/tmp/got").try(t); r.code != 0 {
				return errors.New(r.out + r.err)
			}
			return nil
		})
		ctr("tasks", "kill", "--signal", "TERM", "one").run(t)
		c.ended(t, "one")
		t.contains("exit status", ctr("tasks", "delete", "one").try(t).err, "exit code 5")
	})
	operation(t, "kill all", func(t *T) {
		// In the pid namespace of the host, the others do not end with the first.
		c.detached(t, "one", []string{"--with-ns", "pid:/proc/1/ns/pid"}, "sh", "-c", "sleep 4321 & exec sleep 4322")
		t.until("the child", func() error {
			if out := ctr("tasks", "ps", "one").run(t); len(strings.Split(strings.TrimSpace(out), "\n")) != 3 {
				return errors.New(out)
			}
			return nil
		})
		ctr("tasks", "kill", "--all", "--signal", "KILL", "one").run(t)
		c.ended(t, "one")
		t.until("the end of the child", func() error {
			if exec.Command("pgrep", "-f", "^sleep 432").Run() == nil {
				return errors.New("it runs")
			}
			return nil
		})
	})
	operation(t, "delete", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		r := ctr("tasks", "delete", "one").try(t)
		if r.code == 0 {
			t.Errorf("a running task is deleted without --force")
		}
		t.contains("exit status", ctr("tasks", "delete", "--force", "one").try(t).err, "exit code 137")
		ctr("containers", "delete", "one").run(t)
		t.equal("containers", ctr("containers", "list", "--quiet").run(t), "")
	})
	operation(t, "start again", func(t *T) {
		c.detached(t, "one", nil, "sh", "-c", "echo x >>/root/starts; sleep 1000")
		started := func(times string) {
			t.Helper()
			t.until("start "+times, func() error {
				if r := ctr("tasks", "exec", "--exec-id", "x", "one", "sh", "-c", "test $(wc -l </root/starts) = "+times).try(t); r.code != 0 {
					return errors.New(r.err)
				}
				return nil
			})
		}
		started("1")
		ctr("tasks", "kill", "--signal", "KILL", "one").run(t)
		c.ended(t, "one")
		ctr("tasks", "delete", "one").try(t)
		ctr("tasks", "start", "--detach", "one").run(t)
		started("2")
	})
	operation(t, "events", func(t *T) {
		var out bytes.Buffer
		var guard sync.Mutex
		cmd := exec.Command("ctr", "--namespace", "default", "events")
		cmd.Stdout = writer(func(data []byte) (int, error) {
			guard.Lock()
			defer guard.Unlock()
			return out.Write(data)
		})
		if err := cmd.Start(); err != nil {
			t.Fatalf("%v", err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		// The stream may begin later than the command.
		t.until("all events", func() error {
			c.run(t, nil, "true")
			guard.Lock()
			defer guard.Unlock()
			for _, topic := range []string{"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete", "/containers/delete"} {
				if !strings.Contains(out.String(), topic) {
					return fmt.Errorf("no %s in %q", topic, out.String())
				}
			}
			return nil
		})
	})
	operation(t, "checkpoint", func(t *T) {
		needsCriu(t)
		c.detached(t, "one", nil, counts(0, "/tmp/count")...)
		t.until("counting", func() error {
			if r := ctr("tasks", "exec", "--exec-id", "x", "one", "test", "-s", "/tmp/count").try(t); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
		ctr("tasks", "checkpoint", "--image-path", "/srv/checkpoint", "--work-path", "/srv/checkpoint-work", "one").run(t)
		images, _ := filepath.Glob("/srv/checkpoint/*.img")
		if len(images) == 0 {
			t.Errorf("no images")
		}
	})
	operation(t, "checkpoint and restore", func(t *T) {
		needsCriu(t)
		needsHostname(t)
		c.detached(t, "one", nil, counts(0, "/root/count")...)
		t.until("counting", func() error {
			if r := ctr("tasks", "exec", "--exec-id", "x", "one", "test", "-s", "/root/count").try(t); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
		ctr("containers", "checkpoint", "--image", "--rw", "--task", "one", "test.local/checkpoint:1").run(t)
		t.Cleanup(func() { ctr("images", "remove", "--sync", "test.local/checkpoint:1").try(t) })
		ctr("tasks", "kill", "--signal", "KILL", "one").run(t)
		c.ended(t, "one")
		ctr("tasks", "delete", "one").try(t)
		ctr("containers", "delete", "one").run(t)
		ctr("containers", "restore", "--live", "--rw", "one", "test.local/checkpoint:1").run(t)
		before := c.exec(t, "one", "cat", "/root/count")
		t.until("counting on", func() error {
			if after := c.exec(t, "one", "cat", "/root/count"); after == before {
				return errors.New(after)
			}
			return nil
		})
	})
}

// needsCriu skips what criu does.
func needsCriu(t *T) {
	t.Helper()
	if _, err := exec.LookPath("criu"); err != nil {
		t.Skipf("criu is not to be had: %v", err)
	}
}

// writer is a function that takes what is written.
type writer func([]byte) (int, error)

func (w writer) Write(data []byte) (int, error) { return w(data) }

// faults are what goes wrong around containers.
func (c *containerdEngine) faults(t *testing.T) {
	operation(t, "OOM", func(t *T) {
		controllers(t)
		r := c.try(t, []string{"--memory-limit", "16777216"}, "sh", "-c", "x=x; while :; do x=$x$x; done")
		t.equal("exit status", strconv.Itoa(r.code), "137")
	})
	operation(t, "containerd killed", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		before := ctr("tasks", "list").run(t)
		c.stop(syscall.SIGKILL)
		c.startDaemon(outlasting{t})
		t.equal("tasks", ctr("tasks", "list").run(t), before)
		t.equal("exec", c.exec(t, "one", "echo", "here"), "here")
		ctr("tasks", "kill", "--signal", "KILL", "one").run(t)
		c.ended(t, "one")
		t.contains("exit status", ctr("tasks", "delete", "one").try(t).err, "exit code 137")
	})
	operation(t, "shim killed", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000")
		pid := command{args: []string{"cat", "/run/containerd/io.containerd.runtime.v2.task/default/one/init.pid"}}.run(t)
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			t.Fatalf("%v", err)
		}
		shim, err := strconv.Atoi(strings.Fields(string(stat))[3])
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := syscall.Kill(shim, syscall.SIGKILL); err != nil {
			t.Fatalf("%v", err)
		}
		t.until("the end of the container", func() error {
			if _, err := os.Stat("/proc/" + pid); err == nil {
				return errors.New("it runs")
			}
			return nil
		})
		t.until("the end of the task", func() error {
			if out := ctr("tasks", "list", "--quiet").run(t); out != "" {
				return errors.New(out)
			}
			return nil
		})
	})
	operation(t, "init killed", func(t *T) {
		// containerd forgets "one" some time after it has left the list of tasks.
		c.detached(t, "two", nil, "sh", "-c", "sleep 1000 & sleep 1001")
		pid := command{args: []string{"cat", "/run/containerd/io.containerd.runtime.v2.task/default/two/init.pid"}}.run(t)
		number, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
			t.Fatalf("%v", err)
		}
		c.ended(t, "two")
		t.contains("exit status", ctr("tasks", "delete", "two").try(t).err, "exit code 137")
	})
}

// outlasting is an operation whose daemon goes on after it: it is ended with the room.
type outlasting struct{ *T }

// Cleanup forgets what would end the daemon.
func (outlasting) Cleanup(func()) {}
