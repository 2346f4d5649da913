// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// podmanEngine is Podman for root or for an ordinary user. It has no daemon.
type podmanEngine struct {
	// rootless means that the user podmanUser runs it.
	rootless bool
	// options come before each command.
	options []string
	// machine is where it runs, instead of in the room itself.
	machine *machine
}

// podmanUser has a home below /var/lib/containers, which is no overlay, and so its own
// containers can have one.
const (
	podmanUser = "harbour"
	podmanHome = "/var/lib/containers/harbour"
	podmanUID  = 1000
)

// command returns a command line of podman.
func (p *podmanEngine) command(args ...string) command {
	return p.shell(append(append([]string{"podman"}, p.options...), args...)...)
}

// shell returns a command line for the same user.
func (p *podmanEngine) shell(args ...string) command {
	env := []string{"PODMAN_IGNORE_CGROUPSV1_WARNING=1"}
	if p.machine != nil && p.rootless && p.machine.mode == "v1" {
		// Without cgroups, podman cannot move conmon out of a service.
		return p.machine.asUser(args...)
	}
	if p.machine != nil {
		// In a service, podman would leave conmon in its cgroup, and the service could not end.
		return p.machine.service(p.rootless, nil, append([]string{"env", "--unset=INVOCATION_ID"}, args...)...)
	}
	if !p.rootless {
		return command{args: args, env: env}
	}
	runtimeDir := fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", podmanUID)
	user := []string{"setpriv", fmt.Sprintf("--reuid=%d", podmanUID), fmt.Sprintf("--regid=%d", podmanUID), "--init-groups"}
	return command{args: append(user, args...), env: append(env, "HOME="+podmanHome, "USER="+podmanUser, "SHELL=/bin/bash", runtimeDir), dir: podmanHome}
}

func (p *podmanEngine) try(t reporter, args ...string) result {
	t.Helper()
	return p.command(args...).try(t)
}

func (p *podmanEngine) do(t reporter, args ...string) string {
	t.Helper()
	return strings.TrimSpace(p.command(args...).run(t))
}

// run runs a command in a container that is removed, with options of podman before it, and
// returns its output.
func (p *podmanEngine) run(t reporter, options []string, args ...string) string {
	t.Helper()
	line := append([]string{"run", "--rm"}, options...)
	return p.do(t, append(append(line, "box"), args...)...)
}

// start starts a container that the operation removes at its end, and returns its id.
func (p *podmanEngine) start(t reporter, options []string, args ...string) string {
	t.Helper()
	return p.create(t, "run", append([]string{"--detach"}, options...), args...)
}

// create is podman run or podman create.
func (p *podmanEngine) create(t reporter, verb string, options []string, args ...string) string {
	t.Helper()
	line := append([]string{verb}, options...)
	id := p.do(t, append(append(line, "box"), args...)...)
	p.removeLater(t, id)
	return id
}

// removeLater removes a container, if it is still there, when the operation ends.
func (p *podmanEngine) removeLater(t reporter, name string) {
	t.Cleanup(func() {
		p.do(t, "rm", "--force", "--ignore", "--time", "0", name)
	})
}

// inspect returns a part of what podman says about a container.
func (p *podmanEngine) inspect(t reporter, id, format string) string {
	t.Helper()
	return p.do(t, "container", "inspect", "--format", format, id)
}

// state waits for a part of what podman says about a container.
func (p *podmanEngine) state(t *T, id, format, want string) {
	t.Helper()
	t.until(format+" is "+want, func() error {
		r := p.try(t, "container", "inspect", "--format", format, id)
		if strings.TrimSpace(r.out) != want {
			return fmt.Errorf("it is %q%s", r.out, r.err)
		}
		return nil
	})
}

// logs waits until the container has said something.
func (p *podmanEngine) logs(t *T, id, want string) {
	t.Helper()
	t.until("the log of the container", func() error {
		if r := p.try(t, "logs", id); !strings.Contains(r.out+r.err, want) {
			return fmt.Errorf("no %q in %q", want, r.out+r.err)
		}
		return nil
	})
}

// configurePodman writes the document's configuration.
func configurePodman(t reporter) {
	t.Helper()
	text, err := snippet("Podman", "toml")
	if err != nil {
		t.Fatalf("%v", err)
	}
	dir := "/etc/containers/containers.conf.d"
	if err := errors.Join(linkRuntime(), os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/berth.conf", []byte(text), 0o644)); err != nil {
		t.Fatalf("%v", err)
	}
	limitPodman(t, suite.mode == "v1" || controller("pids"))
}

// limitPodman configures limits that this machine can have: Buildah asks for more than one
// without CAP_SYS_RESOURCE gives, and Podman limits the processes of each container.
func limitPodman(t reporter, pids bool) {
	t.Helper()
	var files, processes syscall.Rlimit
	const limitNproc = 6 // RLIMIT_NPROC, which package syscall does not have
	if err := errors.Join(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files), syscall.Getrlimit(limitNproc, &processes)); err != nil {
		t.Fatalf("%v", err)
	}
	text := fmt.Sprintf("[containers]\ndefault_ulimits = [\"nofile=%d:%d\", \"nproc=%d:%d\"]\n", files.Max, files.Max, processes.Max, processes.Max)
	if !pids {
		text += "pids_limit = 0\n"
	}
	if err := os.WriteFile("/etc/containers/containers.conf.d/limits.conf", []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
}

// controller says whether cgroup v2 has a controller in the room.
func controller(name string) bool {
	data, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return slices.Contains(strings.Fields(string(data)), name)
}

// addPodmanUser makes the ordinary user, with subordinate ids, and those of --userns=auto.
func addPodmanUser(t reporter) {
	t.Helper()
	if _, err := user.Lookup(podmanUser); err == nil {
		return
	}
	uid := fmt.Sprint(podmanUID)
	for _, args := range [][]string{
		{"groupadd", "--gid", "2000", "dockers"},
		{"useradd", "--system", "containers"}, // whose ids --userns=auto uses
		{"useradd", "--uid", uid, "--create-home", "--home-dir", podmanHome, "--groups", "dockers", "--shell", "/bin/bash", podmanUser},
		{"usermod", "--add-subuids", "1000000-1199999", "--add-subgids", "1000000-1199999", podmanUser},
		{"install", "--directory", "--owner", uid, "--group", uid, "--mode", "700", "/run/user/" + uid},
	} {
		command{args: args}.run(t)
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, append(data, "containers:2000000000:1000000\n"...), 0o644)
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	// The user goes through it.
	if err := os.Chmod("/var/lib/containers", 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	resolver := []byte("nameserver 192.0.2.53\n")
	// As udev has it.
	if err := errors.Join(os.WriteFile("/etc/resolv.conf", resolver, 0o644), os.Chmod("/dev/net/tun", 0o666)); err != nil {
		t.Fatalf("%v", err)
	}
}

// startPodman makes podman ready, with the image box, and removes all it has at the end.
func startPodman(t *testing.T, rootless bool) *podmanEngine {
	t.Helper()
	configurePodman(t)
	addPodmanUser(t)
	p := &podmanEngine{rootless: rootless}
	t.Cleanup(func() {
		p.do(t, "pod", "rm", "--all", "--force", "--time", "0")
		p.do(t, "rm", "--all", "--force", "--time", "0")
		p.do(t, "system", "reset", "--force")
		dropPodmanDirectories(t)
		for _, name := range []string{"podman0", "podman1", "podman2"} {
			_ = exec.Command("ip", "link", "delete", name).Run()
		}
	})
	if p.rootless {
		// The process that keeps the user's namespaces.
		t.Cleanup(func() { _ = p.shell("podman", "system", "migrate").try(t) })
	}
	p.importBox(t)
	return p
}

// dropPodmanDirectories removes the cgroup of all conmons, and the directories that podman makes
// for hierarchies of v1 that are not mounted.
func dropPodmanDirectories(t reporter) {
	t.Helper()
	removeCgroups(t, "libpod_parent")
	if suite.mode == "v1" {
		for _, name := range []string{"net_cls", "net_prio", "perf_event"} {
			_ = os.Remove("/sys/fs/cgroup/" + name)
		}
	}
	_ = syscall.Unmount("/run/netns", syscall.MNT_DETACH)
	_ = syscall.Unmount("/run/netns", syscall.MNT_DETACH)
}

// importBox makes the image box: busybox and nothing else.
func (p *podmanEngine) importBox(t reporter) {
	t.Helper()
	p.command("import", "--quiet", "--change", "ENV PATH=/bin", "-", "box").stdinOf(boxTar(t)).run(t)
}

// podmanInfo is a part of podman info.
type podmanInfo struct {
	Host struct {
		OCIRuntime struct{ Name, Path string }
	}
}

func TestPodman(t *testing.T) {
	inRoom(t)
	p := startPodman(t, false)
	smoke(t, "run hello", func(t *T) {
		t.equal("output", p.run(t, nil, "echo", "hello"), "hello")
	})
	smoke(t, "default runtime", func(t *T) {
		var info podmanInfo
		if err := json.Unmarshal([]byte(p.do(t, "info", "--format", "json")), &info); err != nil {
			t.Fatalf("%v", err)
		}
		t.equal("the runtime of podman info", info.Host.OCIRuntime.Path, runtimePath())
		id := p.start(t, nil, "sleep", "1000")
		t.equal("the runtime of the container", p.inspect(t, id, "{{.OCIRuntime}}"), "berth")
	})
	operation(t, "names", func(t *T) { p.names(t) })
	p.testRun(t)
	p.testMounts(t)
	p.testNamespaces(t)
	p.testLife(t)
	p.testExec(t)
	p.testCheckpoint(t)
	p.testPods(t)
	p.testBuild(t)
}

// names runs the runtime by other names than the configured one: podman looks at them.
func (p *podmanEngine) names(t *T) {
	dir, err := os.MkdirTemp("/run", "names.")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	// Others can go through it.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	for _, name := range []string{"runc", "crun", filepath.Base(suite.runtime), "other"} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(suite.runtime, link); err != nil && !os.IsExist(err) {
			t.Fatalf("%v", err)
		}
		named := *p
		named.options = []string{"--runtime", link}
		t.equal("output with "+name, named.run(t, nil, "echo", "hello"), "hello")
		r := named.try(t, "run", "--rm", "box", "/missing")
		t.equal("exit status with "+name, fmt.Sprint(r.code), "127")
		r = named.try(t, "run", "--rm", "box", "/etc/passwd")
		t.equal("exit status with "+name, fmt.Sprint(r.code), "126")
	}
}
