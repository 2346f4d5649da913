// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// dockerCheckpoint ends a container with criu, and lets it go on where it was.
func dockerCheckpoint(t *T) {
	if !exists("/opt/criu/bin/criu") {
		t.Skipf("no criu")
	}
	needsHostname(t)
	d := startDocker(t, "checkpoint", map[string]any{"experimental": true}, "PATH=/opt/criu/bin:"+os.Getenv("PATH"))
	d.importBox(t)
	t.Cleanup(func() { d.clear(t) })
	// Docker 28 cannot restore a container with a network of its own: it looks for it in /proc/0.
	counting := func() string {
		id := d.detached(t, []string{"--network", "host"}, counts(0, "&1")...)
		d.logged(t, id, "3")
		return id
	}
	count := func(id string) int {
		n, err := strconv.Atoi(d.do(t, "logs", "--tail", "1", id))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return n
	}
	goesOn := func(id string, n int) {
		t.Helper()
		t.until("it goes on", func() error {
			if now := count(id); now <= n {
				return fmt.Errorf("it was at %d, and is at %d", n, now)
			}
			return nil
		})
	}
	checkpoints := func(id, name string) {
		t.Helper()
		t.equal("checkpoints", strings.Join(strings.Fields(d.do(t, "checkpoint", "ls", id)), " "), "CHECKPOINT NAME "+name)
	}
	// Two containers: dockerd fails if its containerd still has the config of the same one.
	other := counting()
	d.do(t, "checkpoint", "create", "--leave-running", other, "running")
	goesOn(other, count(other))
	checkpoints(other, "running")
	d.do(t, "kill", other)
	id := counting()
	d.do(t, "checkpoint", "create", id, "ended")
	d.becomes(t, id, ".State.Status", "exited")
	n := count(id)
	checkpoints(id, "ended")
	t.until("the restore", func() error {
		r := d.try(t, "start", "--checkpoint", "ended", id)
		// dockerd's containerd may still have the images, which dockerd gives it again.
		if r.code != 0 && strings.Contains(r.err, "already exists") {
			return errors.New(r.err)
		}
		if r.code != 0 {
			t.Fatalf("%s", r.err)
		}
		return nil
	})
	goesOn(id, n)
	t.equal("lines", fmt.Sprint(strings.Count(d.do(t, "logs", id), "\n1\n")), "0")
	t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
	d.do(t, "kill", id)
}

// needsHostname skips a restore where criu cannot set the container's host name, since the settings
// of the kernel are protected (see ./machine).
func needsHostname(t *T) {
	t.Helper()
	file, err := os.OpenFile("/proc/sys/kernel/hostname", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("criu could not set the host name: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatalf("%v", err)
	}
}
