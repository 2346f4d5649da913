// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// dockerEngine is a dockerd with its own containerd.
type dockerEngine struct {
	*daemon
	host string
	// runtime is what its containers run with, by its name in the configuration.
	runtime string
	major   int
	// bridge means that it has docker0.
	bridge bool
}

// startDocker starts dockerd, whose configuration is the document's with some settings more.
func startDocker(t reporter, name string, settings map[string]any, env ...string) *dockerEngine {
	t.Helper()
	text, err := snippet("Docker", "json")
	config := map[string]any{}
	if err == nil {
		err = json.Unmarshal([]byte(text), &config)
	}
	if err = errors.Join(err, linkRuntime(), writeWrapper("/opt/wrapper", "device"), os.WriteFile("/opt/hook", []byte(hook), 0o755)); err != nil {
		t.Fatalf("%v", err)
	}
	config["runtimes"].(map[string]any)["wrapper"] = map[string]any{"path": "/opt/wrapper"}
	if suite.systemd {
		config["exec-opts"] = []string{"native.cgroupdriver=systemd"}
	}
	for key, value := range settings {
		config[key] = value
	}
	data, err := json.Marshal(config)
	if err = errors.Join(err, os.MkdirAll("/etc/docker", 0o755), os.WriteFile("/etc/docker/"+name+".json", data, 0o644)); err != nil {
		t.Fatalf("%v", err)
	}
	d := &dockerEngine{host: "unix:///run/docker-" + name + ".sock", runtime: "berth", bridge: settings["bridge"] == nil}
	t.Cleanup(d.sweep)
	// The last of those that a test has started.
	t.Cleanup(func() {
		if d.daemon != nil {
			d.end(t)
		}
	})
	d.daemon = launch(t, "dockerd-"+name, env, "dockerd", "--host", d.host, "--config-file", "/etc/docker/"+name+".json")
	d.answers(t)
	return d
}

// sweep removes what dockerd leaves at its end: its bridge, and a mount for containers in the
// host's network.
func (d *dockerEngine) sweep() {
	if d.bridge {
		_ = exec.Command("ip", "link", "delete", "docker0").Run()
		_ = exec.Command("umount", "/run/docker/netns/default").Run()
	}
}

// answers waits until dockerd answers.
func (d *dockerEngine) answers(t reporter) {
	t.Helper()
	d.ready(t, func() error {
		r := d.try(t, "version", "--format", "{{.Server.Version}}")
		if r.code != 0 {
			return errors.New(r.err)
		}
		major, _, _ := strings.Cut(r.out, ".")
		var err error
		d.major, err = strconv.Atoi(major)
		return err
	})
}

// unconfined are options for what the profiles of Docker forbid: that of seccomp, and that of AppArmor
// where the kernel has it.
var unconfined = []string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}

// command returns a command line of docker.
func (d *dockerEngine) command(args ...string) command {
	return command{args: append([]string{"docker"}, args...), env: []string{"DOCKER_HOST=" + d.host}}
}

func (d *dockerEngine) try(t reporter, args ...string) result {
	t.Helper()
	return d.command(args...).try(t)
}

func (d *dockerEngine) do(t reporter, args ...string) string {
	t.Helper()
	return strings.TrimSpace(d.command(args...).run(t))
}

// run runs a command in a container of the runtime under test, with options of docker before it,
// and returns its output.
func (d *dockerEngine) run(t reporter, options []string, args ...string) string {
	t.Helper()
	return d.do(t, d.line(options, args...)...)
}

// line returns the arguments of run.
func (d *dockerEngine) line(options []string, args ...string) []string {
	line := append([]string{"run", "--rm", "--runtime", d.runtime}, options...)
	return append(append(line, "box"), args...)
}

// detached starts a container that is not removed when it ends, and returns its id.
func (d *dockerEngine) detached(t reporter, options []string, args ...string) string {
	t.Helper()
	line := append([]string{"run", "--detach", "--runtime", d.runtime}, options...)
	return d.do(t, append(append(line, "box"), args...)...)
}

// inspect returns a field of a container, as a Go template has it.
func (d *dockerEngine) inspect(t reporter, id, field string) string {
	t.Helper()
	return d.do(t, "inspect", "--format", "{{"+field+"}}", id)
}

// becomes waits until a field of a container has that value.
func (d *dockerEngine) becomes(t *T, id, field, want string) {
	t.Helper()
	t.until(field, func() error {
		if got := d.inspect(t, id, field); got != want {
			return fmt.Errorf("it is %s, not %s", got, want)
		}
		return nil
	})
}

// op returns an operation that removes the containers and volumes that it leaves.
func (d *dockerEngine) op(f func(t *T)) func(t *T) {
	return func(t *T) {
		t.Cleanup(func() { d.clear(t) })
		f(t)
	}
}

// clear removes all containers and volumes.
func (d *dockerEngine) clear(t reporter) {
	if ids := strings.Fields(d.do(t, "ps", "--all", "--quiet")); len(ids) > 0 {
		d.do(t, append([]string{"rm", "--force", "--volumes"}, ids...)...)
	}
	if names := strings.Fields(d.do(t, "volume", "ls", "--quiet")); len(names) > 0 {
		d.do(t, append([]string{"volume", "rm"}, names...)...)
	}
}

// since skips an operation that came with a later version of Docker.
func (d *dockerEngine) since(t *T, major int, what string) {
	t.Helper()
	if d.major < major {
		t.Skipf("Docker %d has no %s", d.major, what)
	}
}

// recordRunc returns dockerd's PATH as the document has it. But in the place of the runtime is a
// program that notes its calls: BuildKit calls the first runc of PATH.
func recordRunc() (string, error) {
	const dir = "/opt/calls"
	script := "#!/bin/sh\necho \"$0 $*\" >>/tmp/buildkit-calls\nexec '" + runtimePath() + "' \"$@\"\n"
	unit, err := snippet("Docker", "ini")
	_, path, found := strings.Cut(unit, "Environment=PATH="+filepath.Dir(documented)+":")
	if err == nil && !found {
		err = errors.New("docs/engines.md: no PATH")
	}
	return "PATH=" + dir + ":" + strings.TrimSpace(path), errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/runc", []byte(script), 0o755))
}

// everyCapability skips an operation with --privileged where root does not have them all: Docker
// 20 asks for them all the same, and no runtime can give them.
func (d *dockerEngine) everyCapability(t *T) {
	t.Helper()
	last := strings.TrimSpace(read(t, "/proc/sys/kernel/cap_last_cap"))
	n, err := strconv.Atoi(last)
	if err != nil {
		t.Fatalf("cap_last_cap: %v", err)
	}
	if d.major < 23 && !strings.Contains(read(t, "/proc/self/status"), fmt.Sprintf("CapBnd:\t%016x\n", uint64(1)<<(n+1)-1)) {
		t.Skipf("root does not have every capability here")
	}
}

// controllers skips an operation that needs limits where cgroup v2 has no controllers.
func controllers(t *T) {
	t.Helper()
	if suite.mode == "v1" {
		return
	}
	if data, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); !strings.Contains(string(data), "memory") {
		t.Skipf("cgroup v2 has no controllers here")
	}
}

func TestDocker(t *testing.T) {
	inRoom(t)
	path, err := recordRunc()
	if err != nil {
		t.Fatal(err)
	}
	d := startDocker(t, "main", nil, path)
	d.importBox(t)
	dockerRun(t, d)
	dockerIsolation(t, d)
	dockerMounts(t, d)
	dockerLife(t, d)
	dockerObserve(t, d)
	dockerExec(t, d)
	dockerDevices(t, d)
	dockerNetwork(t, d)
	dockerImages(t, d)
	dockerStack(t, d)
}
