// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// dockerLife starts, stops, pauses and restarts containers.
func dockerLife(t *testing.T, d *dockerEngine) {
	smoke(t, "create, start, wait, rm", d.op(func(t *T) {
		id := d.do(t, "create", "--runtime", d.runtime, "box", "sh", "-c", "exit 5")
		t.equal("status", d.inspect(t, id, ".State.Status"), "created")
		d.do(t, "start", id)
		t.equal("exit status", d.do(t, "wait", id), "5")
		d.do(t, "start", id)
		t.equal("second exit status", d.do(t, "wait", id), "5")
		d.do(t, "rm", id)
	}))
	smoke(t, "stop", d.op(func(t *T) {
		id := d.detached(t, []string{"--init"}, "sleep", "1000")
		d.do(t, "stop", id)
		t.equal("exit status", d.inspect(t, id, ".State.ExitCode"), "143")
	}))
	operation(t, "stop of what ignores SIGTERM", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		d.do(t, "stop", "--time", "1", id)
		t.equal("exit status", d.inspect(t, id, ".State.ExitCode"), "137")
	}))
	operation(t, "stop signal", d.op(func(t *T) {
		id := d.detached(t, []string{"--stop-signal", "SIGUSR1"}, "sh", "-c", `trap 'exit 7' USR1; echo up; while :; do sleep 0.1; done`)
		d.logged(t, id, "up")
		d.do(t, "stop", id)
		t.equal("exit status", d.inspect(t, id, ".State.ExitCode"), "7")
	}))
	operation(t, "kill with signals", d.op(func(t *T) {
		id := d.detached(t, nil, "sh", "-c", `trap 'echo hup' HUP; trap 'echo rt' 40; echo up; while :; do sleep 0.1; done`)
		d.logged(t, id, "up")
		d.do(t, "kill", "--signal", "HUP", id)
		d.logged(t, id, "hup")
		d.do(t, "kill", "--signal", "40", id)
		d.logged(t, id, "rt")
		d.do(t, "kill", id)
		d.becomes(t, id, ".State.ExitCode", "137")
	}))
	smoke(t, "pause", d.op(func(t *T) {
		id := d.detached(t, []string{"--init"}, "sh", "-c", "while :; do echo x; sleep 0.01; done")
		d.logged(t, id, "x")
		d.do(t, "pause", id)
		t.equal("status", d.inspect(t, id, ".State.Status"), "paused")
		logs := d.do(t, "logs", id)
		if r := d.try(t, "exec", id, "true"); r.code == 0 {
			t.Errorf("exec in a paused container succeeds")
		}
		t.equal("logs of a paused container", d.do(t, "logs", id), logs)
		d.do(t, "unpause", id)
		t.equal("status", d.inspect(t, id, ".State.Status"), "running")
		d.do(t, "exec", id, "true")
		d.do(t, "pause", id)
		d.do(t, "rm", "--force", id)
	}))
	operation(t, "restart", d.op(func(t *T) {
		id := d.detached(t, []string{"--init"}, "sh", "-c", "echo up; exec sleep 1000")
		d.logged(t, id, "up")
		pid := d.inspect(t, id, ".State.Pid")
		d.do(t, "restart", id)
		if again := d.inspect(t, id, ".State.Pid"); again == pid {
			t.Errorf("the first process is the same")
		}
		t.equal("status", d.inspect(t, id, ".State.Status"), "running")
	}))
	operation(t, "restart policy on-failure", d.op(func(t *T) {
		id := d.detached(t, []string{"--restart", "on-failure:2"}, "sh", "-c", "echo run; exit 9")
		d.becomes(t, id, ".RestartCount", "2")
		d.becomes(t, id, ".State.Status", "exited")
		t.equal("logs", d.do(t, "logs", id), "run\nrun\nrun")
	}))
	operation(t, "restart policy always", d.op(func(t *T) {
		id := d.detached(t, []string{"--restart", "always"}, "sleep", "1000")
		// Not by docker, which would be meant to stop it.
		command{args: []string{"kill", "-KILL", d.inspect(t, id, ".State.Pid")}}.run(t)
		d.becomes(t, id, ".RestartCount", "1")
		d.becomes(t, id, ".State.Status", "running")
		d.do(t, "stop", "--time", "0", id)
		t.equal("status", d.inspect(t, id, ".State.Status"), "exited")
	}))
	smoke(t, "update", d.op(func(t *T) { dockerUpdate(t, d) }))
	operation(t, "update of the restart policy", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		d.do(t, "update", "--restart", "unless-stopped", id)
		command{args: []string{"kill", "-KILL", d.inspect(t, id, ".State.Pid")}}.run(t)
		d.becomes(t, id, ".RestartCount", "1")
	}))
	operation(t, "20 at once", d.op(func(t *T) {
		t.together(20, func(n int) error {
			r := d.command(d.line(nil, "echo", fmt.Sprint(n))...).try(t)
			if r.code != 0 || strings.TrimSpace(r.out) != fmt.Sprint(n) {
				return fmt.Errorf("run %d: %d: %s%s", n, r.code, r.out, r.err)
			}
			return nil
		})
	}))
}

// dockerUpdate changes the limits of a running container, up and down.
func dockerUpdate(t *T, d *dockerEngine) {
	controllers(t)
	id := d.detached(t, []string{"--memory", "64m", "--memory-swap", "128m", "--cpus", "1"}, "sleep", "1000")
	read := func() string {
		return d.do(t, "exec", id, "sh", "-c", "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus || cat memory.max cpu.max pids.max cpuset.cpus")
	}
	for _, c := range []struct{ options, v1, v2 string }{
		{"--memory 96m --memory-swap 128m --cpus 0.25 --pids-limit 55 --cpuset-cpus 0", "100663296\n25000\n55\n0", "100663296\n25000 100000\n55\n0"},
		{"--memory 32m --memory-swap 64m --cpus 1.5 --pids-limit 200 --cpuset-cpus 0-1", "33554432\n150000\n200\n0-1", "33554432\n150000 100000\n200\n0-1"},
	} {
		d.do(t, append(append([]string{"update"}, strings.Fields(c.options)...), id)...)
		want := c.v1
		if suite.mode == "v2" {
			want = c.v2
		}
		t.equal(c.options, read(), want)
	}
}

// logged waits until a container has written a line.
func (d *dockerEngine) logged(t *T, id, line string) {
	t.Helper()
	t.until("the line "+line, func() error {
		r := d.try(t, "logs", id)
		if !strings.Contains(r.out+r.err, line+"\n") {
			return errors.New(r.out + r.err)
		}
		return nil
	})
}

// together runs f n times at once.
func (t *T) together(n int, f func(n int) error) {
	t.Helper()
	results := make(chan error)
	for i := range n {
		go func() {
			err := errors.New("it has ended early")
			defer func() { results <- err }()
			err = f(i)
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Errorf("%v", err)
		}
	}
}
