// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// podman is a container that is run with the command lines of Podman 4.3 and conmon 2.1: images
// are in the bundle, and logs and statistics are where Podman looks for them.
type podman struct{ *container }

func (p podman) images() string { return p.path("checkpoint") }

// conmon runs a command as conmon does, with pipes that the container keeps.
func (p podman) conmon(command string, options ...string) *piped {
	p.t.Helper()
	p.write()
	pipes := p.piped(slices.Concat([]string{
		"--log-format=json", "--log", p.path("oci-log"), command, "--bundle", p.dir, "--pid-file", p.path("pid"),
	}, options, []string{p.id})...)
	pipes.detaches()
	if log, err := os.ReadFile(p.path("oci-log")); err != nil || len(log) > 0 {
		p.t.Errorf("%s: the log has %q, %v", command, log, err)
	}
	p.pid = p.readPID()
	return pipes
}

// checkpoint asks whether the runtime supports checkpoints, as Podman does each time, and makes
// one.
func (p podman) checkpoint(options ...string) {
	p.t.Helper()
	p.command("checkpoint", "--help").must()
	args := slices.Concat([]string{"checkpoint", "--image-path", p.images(), "--work-path", p.dir}, options, []string{p.id})
	p.command(args...).must().silent()
	for _, file := range []string{"dump.log", "stats-dump", "checkpoint/inventory.img"} {
		if _, err := os.Stat(p.path(file)); err != nil {
			p.t.Error(err)
		}
	}
}

func (p podman) restore(options ...string) *piped {
	p.t.Helper()
	p.command("checkpoint", "--help").must()
	pipes := p.conmon("restore", slices.Concat([]string{"--detach", "--image-path", p.images(), "--work-path", p.dir}, options)...)
	for _, file := range []string{"restore.log", "stats-restore"} {
		if _, err := os.Stat(p.path(file)); err != nil {
			p.t.Error(err)
		}
	}
	return pipes
}

// TestPodmanCheckpoint runs the commands of "podman container checkpoint" and "restore": with
// --leave-running, with options that allow more to be saved, and with --import, after which the
// container has another name, bundle and root file system.
func TestPodmanCheckpoint(t *testing.T) {
	p := podman{newContainer(t).sh("n=0; while read x; do n=$((n+1)); echo $n $x; done; exit 7")}
	needCriu(t)
	p.spec.Process.NoNewPrivileges = false
	pipes := p.conmon("create")
	p.start()
	pipes.say("a", "1 a")
	p.checkpoint("--leave-running", "--leave-running") // twice, as in Podman
	pipes.say("b", "2 b")
	p.checkpoint("--tcp-established", "--file-locks")
	p.command("delete", "--force", p.id).must().silent()

	pipes = p.restore("--tcp-established", "--file-locks")
	pipes.say("c", "3 c")
	want(t, "exec", p.execOut(p.id, "echo", "here"), "here")
	p.status(specs.StateRunning)

	imported := podman{anotherContainer(t, p.container)}
	imported.spec.Process = p.spec.Process
	if err := os.Rename(p.images(), imported.images()); err != nil {
		t.Fatal(err)
	}
	other := imported.restore("--tcp-established", "--file-locks")
	other.say("d", "3 d")
	pipes.say("e", "4 e")
	pipes.in.Close()
	if status := p.wait(); status.ExitStatus() != 7 {
		t.Errorf("status %d, want 7", status.ExitStatus())
	}
	p.command("delete", "--force", p.id).must()
	imported.command("kill", imported.id, "9").must().silent()
	imported.wait()
	imported.command("delete", "--force", imported.id).must()
	p.checkNothingLeft()
	imported.checkNothingLeft()
}

// TestPodmanCheckpointFails: Podman passes no --log, and shows what the command prints to stderr.
func TestPodmanCheckpointFails(t *testing.T) {
	k := newCounter(t).holding("lock", "/lock").runAndCount()
	k.command("checkpoint", "--image-path", k.path("checkpoint"), "--work-path", k.dir, k.id).fails("criu failed", "")
	k.status(specs.StateRunning)
	k.ask()
	k.command("checkpoint", "--image-path", k.path("checkpoint"), "--work-path", k.dir, "--leave-running", "--file-locks", "--leave-running", k.id).must().silent()
	k.ask()
}
