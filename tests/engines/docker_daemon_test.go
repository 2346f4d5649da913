// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDockerDaemon has operations that need a dockerd of their own.
func TestDockerDaemon(t *testing.T) {
	inRoom(t)
	operation(t, "default runtime", func(t *T) {
		d := startDocker(t, "default", map[string]any{"default-runtime": "berth"}, "DOCKER_BUILDKIT=0")
		d.importBox(t)
		t.Cleanup(func() { d.clear(t) })
		id := d.do(t, "run", "--detach", "box", "sleep", "1000")
		t.equal("runtime", d.inspect(t, id, ".HostConfig.Runtime"), "berth")
		t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
		d.do(t, "stop", "--time", "0", id)
	})
	operation(t, "userns-remap", dockerRemapped)
	operation(t, "live-restore", dockerLiveRestore)
	operation(t, "checkpoint", dockerCheckpoint)
	operation(t, "daemon killed", dockerKilled)
	operation(t, "daemon stopped", func(t *T) {
		d := startDocker(t, "stopped", nil)
		d.importBox(t)
		t.Cleanup(func() { d.clear(t) })
		id := d.detached(t, []string{"--init"}, "sleep", "1000")
		again := d.detached(t, []string{"--init", "--restart", "always"}, "sleep", "1000")
		d.again(t, syscall.SIGTERM)
		t.equal("exit status", d.inspect(t, id, ".State.Status")+d.inspect(t, id, ".State.ExitCode"), "exited143")
		d.becomes(t, again, ".State.Status", "running")
		d.do(t, "start", id)
		t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
	})
	operation(t, "shim killed", func(t *T) {
		d := startDocker(t, "shim", nil)
		d.importBox(t)
		t.Cleanup(func() { d.clear(t) })
		id := d.detached(t, nil, "sleep", "1000")
		pid := d.inspect(t, id, ".State.Pid")
		kill(t, shimOf(t, id), syscall.SIGKILL)
		d.becomes(t, id, ".State.Status", "exited")
		t.until("its process is gone", func() error {
			if exists("/proc/" + pid) {
				return errors.New("it is there")
			}
			return nil
		})
		d.do(t, "start", id)
		t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
	})
}

// again ends dockerd and starts it once more.
func (d *dockerEngine) again(t *T, signal syscall.Signal) {
	t.Helper()
	d.stop(signal)
	d.daemon = launch(t, d.name, d.env, d.cmd.Args...)
	d.answers(t)
}

func kill(t *T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// shimOf returns the pid of a container's shim.
func shimOf(t *T, id string) int {
	t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		if line := string(data); strings.Contains(line, "containerd-shim") && strings.Contains(line, id) {
			var pid int
			if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil {
				return pid
			}
		}
	}
	t.Fatalf("no shim of %s", id)
	return 0
}

// dockerRemapped runs containers whose root is not the machine's.
func dockerRemapped(t *T) {
	d := startDocker(t, "remapped", map[string]any{"userns-remap": "default"})
	d.importBox(t)
	t.Cleanup(func() { d.clear(t) })
	id := d.detached(t, []string{"--memory", "64m", "--volume", "data:/data", "--tmpfs", "/x"}, "sh", "-c", "echo kept >/data/file; exec sleep 1000")
	pid := d.inspect(t, id, ".State.Pid")
	mapped := strings.Fields(read(t, "/proc/"+pid+"/uid_map"))
	if len(mapped) != 3 || mapped[0] != "0" || mapped[1] == "0" {
		t.Fatalf("uid_map: %v", mapped)
	}
	t.until("the file of the container's root", func() error {
		got := command{args: []string{"stat", "-c", "%u", filepath.Join(d.inspect(t, id, "(index .Mounts 0).Source"), "file")}}.try(t)
		if strings.TrimSpace(got.out) != mapped[1] {
			return fmt.Errorf("its owner is %s%s", got.out, got.err)
		}
		return nil
	})
	t.equal("exec", d.do(t, "exec", id, "id", "-u"), "0")
	t.equal("exec of a user", d.do(t, "exec", "--user", "user", id, "id", "-u"), "1000")
	t.equal("output", d.run(t, []string{"--user", "user", "--read-only"}, "id", "-u"), "1000")
	t.contains("mounts", d.run(t, append([]string{"--cap-add", "SYS_ADMIN"}, unconfined...), "sh", "-c", "mkdir /m; mount -t tmpfs none /m; grep ' /m ' /proc/mounts"), "tmpfs")
	t.contains("the machine's own", d.run(t, []string{"--userns", "host"}, "cat", "/proc/self/uid_map"), "4294967295")
	out := d.onTerminal("run", "--rm", "--interactive", "--tty", "--runtime", d.runtime, "box", "sh", "-c", "stat -c %u $(tty)").try(t)
	t.contains("owner of the terminal", out.out, "0\r\n")
	d.do(t, "commit", id, "remapped")
	d.do(t, "rmi", "remapped")
	d.do(t, "stop", "--time", "0", id)
}

// dockerLiveRestore kills dockerd, while containers go on and end.
func dockerLiveRestore(t *T) {
	d := startDocker(t, "live", map[string]any{"live-restore": true})
	d.importBox(t)
	t.Cleanup(func() { d.clear(t) })
	id := d.detached(t, []string{"--init", "--volume", "data:/data"}, "sh", "-c", "while :; do date +%s.%N; sleep 0.1; done")
	ends := d.detached(t, []string{"--volume", "data:/data"}, "sh", "-c", "while [ ! -e /data/end ]; do sleep 0.1; done; exit 5")
	pid, other := d.inspect(t, id, ".State.Pid"), d.inspect(t, ends, ".State.Pid")
	data := d.do(t, "volume", "inspect", "--format", "{{.Mountpoint}}", "data")
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		d.stop(signal)
		if !exists("/proc/" + pid) {
			t.Fatalf("the container has ended with dockerd")
		}
		if err := os.WriteFile(data+"/end", nil, 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		t.until("the other container ends", func() error {
			if state := strings.Fields(strings.Join(command{args: []string{"ps", "-o", "stat=", "-p", other}}.lines(t), " ")); len(state) > 0 && !strings.HasPrefix(state[0], "Z") {
				return errors.New("it runs")
			}
			return nil
		})
		d.daemon = launch(t, d.name, d.env, d.cmd.Args...)
		d.answers(t)
		t.equal("state", d.inspect(t, id, ".State.Status")+" "+d.inspect(t, id, ".State.Pid"), "running "+pid)
		// Its exit status is not known to the new containerd.
		t.equal("state of what has ended", d.inspect(t, ends, ".State.Status"), "exited")
		t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
		last := d.do(t, "logs", "--tail", "1", id)
		t.until("its log goes on", func() error {
			if d.do(t, "logs", "--tail", "1", id) == last {
				return errors.New(last)
			}
			return nil
		})
	}
	d.do(t, "pause", id)
	d.do(t, "unpause", id)
	d.do(t, "stop", id)
	t.equal("exit status", d.inspect(t, id, ".State.ExitCode"), "143")
}

// dockerKilled kills dockerd, which ends the containers when it is back.
func dockerKilled(t *T) {
	d := startDocker(t, "killed", nil)
	d.importBox(t)
	t.Cleanup(func() { d.clear(t) })
	id := d.detached(t, nil, "sleep", "1000")
	again := d.detached(t, []string{"--restart", "always"}, "sleep", "1000")
	pid := d.inspect(t, again, ".State.Pid")
	d.again(t, syscall.SIGKILL)
	d.becomes(t, id, ".State.Status", "exited")
	d.becomes(t, again, ".State.Status", "running")
	if d.inspect(t, again, ".State.Pid") == pid {
		t.Errorf("the container was not started again")
	}
	d.do(t, "start", id)
	t.equal("exec", d.do(t, "exec", id, "echo", "hello"), "hello")
}
