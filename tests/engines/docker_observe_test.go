// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// whenTold waits for a file: the shim does not see what happens before it listens.
const whenTold = "while [ ! -e /go ]; do sleep 0.1; done; "

// dockerObserve looks at containers in the ways that docker has.
func dockerObserve(t *testing.T, d *dockerEngine) {
	operation(t, "stats", d.op(func(t *T) {
		controllers(t)
		id := d.detached(t, []string{"--memory", "64m"}, "sh", "-c", "while :; do :; done")
		t.until("stats", func() error {
			var s struct{ CPUPerc, MemUsage, PIDs, BlockIO string }
			if err := json.Unmarshal([]byte(d.do(t, "stats", "--no-stream", "--format", "{{json .}}", id)), &s); err != nil {
				return err
			}
			if s.PIDs != "1" || !strings.HasSuffix(s.MemUsage, "/ 64MiB") || strings.HasPrefix(s.MemUsage, "0B") || s.CPUPerc == "0.00%" {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}))
	smoke(t, "top", d.op(func(t *T) {
		id := d.detached(t, []string{"--init"}, "sh", "-c", "sleep 1000 & exec sleep 2000")
		t.until("both processes", func() error {
			top := d.do(t, "top", id, "-o", "pid,args")
			if !strings.Contains(top, "sleep 1000") || !strings.Contains(top, "sleep 2000") {
				return errors.New(top)
			}
			return nil
		})
	}))
	operation(t, "health checks", d.op(func(t *T) {
		id := d.detached(t, []string{"--health-cmd", "test -e /tmp/well", "--health-interval", "100ms", "--health-retries", "2"},
			"sh", "-c", "touch /tmp/well; exec sleep 1000")
		d.becomes(t, id, ".State.Health.Status", "healthy")
		d.do(t, "exec", id, "rm", "/tmp/well")
		d.becomes(t, id, ".State.Health.Status", "unhealthy")
		d.do(t, "exec", id, "touch", "/tmp/well")
		d.becomes(t, id, ".State.Health.Status", "healthy")
	}))
	operation(t, "health check without an end", d.op(func(t *T) {
		// dockerd 20 waits for ever if this ends while it still begins an exec.
		id := d.detached(t, []string{"--health-cmd", "sleep 1000", "--health-interval", "100ms", "--health-timeout", "3s", "--health-retries", "1"},
			"sleep", "2000")
		d.becomes(t, id, ".State.Health.Status", "unhealthy")
	}))
	operation(t, "OOM of the first process", d.op(func(t *T) {
		controllers(t)
		// If containerd learns of the end before the report, the report is lost.
		for range 5 {
			id := d.detached(t, []string{"--memory", "16m", "--memory-swap", "16m"}, "sh", "-c", whenTold+"exec tail /dev/zero")
			d.do(t, "exec", id, "touch", "/go")
			d.becomes(t, id, ".State.Status", "exited")
			t.equal("exit status", d.inspect(t, id, ".State.ExitCode"), "137")
			if d.inspect(t, id, ".State.OOMKilled") == "true" {
				t.contains("events", d.eventsOf(t, id), " oom", " die")
				return
			}
		}
		t.Errorf("no report in five times")
	}))
	operation(t, "OOM of a child", d.op(func(t *T) {
		controllers(t)
		id := d.detached(t, []string{"--memory", "16m", "--memory-swap", "16m"}, "sh", "-c", whenTold+"tail /dev/zero; echo went on; exec sleep 1000")
		d.do(t, "exec", id, "touch", "/go")
		d.logged(t, id, "went on")
		t.until("the event", func() error {
			if events := d.eventsOf(t, id); !strings.Contains(events, " oom") {
				return errors.New(events)
			}
			return nil
		})
		t.equal("status", d.inspect(t, id, ".State.Status"), "running")
	}))
	operation(t, "events", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		d.do(t, "exec", id, "true")
		d.do(t, "pause", id)
		d.do(t, "unpause", id)
		d.do(t, "kill", id)
		d.do(t, "wait", id)
		d.do(t, "rm", id)
		var seen []string
		for line := range strings.Lines(d.eventsOf(t, id)) {
			word := strings.Fields(line)[1]
			seen = append(seen, strings.TrimSuffix(word, ":"))
		}
		t.equal("events", strings.Join(seen, " "), "create start exec_create exec_start exec_die pause unpause kill die destroy")
	}))
	operation(t, "logs", d.op(func(t *T) {
		id := d.detached(t, nil, "sh", "-c", "echo out; echo err >&2; sleep 0.2; echo last")
		r := d.try(t, "logs", "--follow", id)
		t.equal("output", r.out, "out\nlast")
		t.equal("errors", r.err, "err")
		t.equal("tail", d.do(t, "logs", "--tail", "1", id), "last")
	}))
	operation(t, "logs of 4 MiB", d.op(func(t *T) {
		id := d.detached(t, nil, "sh", "-c", "yes 0123456789abcde | head -n 262144")
		t.equal("exit status", d.do(t, "wait", id), "0")
		t.equal("bytes", fmt.Sprint(len(d.do(t, "logs", id))), fmt.Sprint(4<<20-1))
	}))
	operation(t, "diff, cp, export", d.op(func(t *T) {
		id := d.detached(t, nil, "sh", "-c", "echo new >/etc/new; rm /etc/group; exec sleep 1000")
		t.until("diff", func() error {
			if diff := d.do(t, "diff", id); !strings.Contains(diff, "A /etc/new") || !strings.Contains(diff, "D /etc/group") {
				return errors.New(diff)
			}
			return nil
		})
		d.do(t, "cp", id+":/etc/new", "/tmp/new")
		t.equal("copied", command{args: []string{"cat", "/tmp/new"}}.run(t), "new")
		d.do(t, "cp", "/tmp/new", id+":/root/in")
		t.equal("copied in", d.do(t, "exec", id, "cat", "/root/in"), "new")
		d.do(t, "export", "--output", "/tmp/export.tar", id)
		t.contains("export", command{args: []string{"tar", "-tf", "/tmp/export.tar"}}.run(t), "etc/new\n", "bin/busybox\n")
	}))
	operation(t, "rename, port, inspect, ps", d.op(func(t *T) {
		id := d.detached(t, []string{"--name", "old", "--label", "kind=x"}, "sleep", "1000")
		d.do(t, "rename", "old", "new")
		t.equal("ps", d.do(t, "ps", "--filter", "label=kind=x", "--format", "{{.Names}} {{.State}}"), "new running")
		t.equal("runtime", d.inspect(t, id, ".HostConfig.Runtime"), d.runtime)
	}))
}

// eventsOf returns the events of a container until now. They have no streams.
func (d *dockerEngine) eventsOf(t *T, id string) string {
	t.Helper()
	now := strings.TrimSpace(command{args: []string{"date", "+%s.%N"}}.run(t))
	return d.do(t, "events", "--since", "1", "--until", now, "--filter", "container="+id, "--format", "{{.Type}} {{.Action}}")
}
