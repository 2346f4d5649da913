// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPodmanSystemd is Podman on a machine with systemd, for root and for an ordinary user with
// a service manager.
func TestPodmanSystemd(t *testing.T) {
	inRoom(t)
	p := startPodman(t, false)
	t.Cleanup(func() { p.machine = nil })
	delegate(t)
	p.machine = startMachine(t)
	limitPodman(t, p.machine.mode == "v1" || controller("pids"))
	p.testSystemd(t, "")
	if suite.smoke {
		return
	}
	t.Run("user", func(t *testing.T) {
		u := startPodman(t, true)
		// The process that keeps the user's namespaces in the room.
		_ = u.shell("podman", "system", "migrate").try(t)
		u.machine = p.machine
		limitPodman(t, p.machine.mode == "v1" || controller("pids"))
		u.machine.systemctl(t, false, "start", fmt.Sprintf("user@%d.service", podmanUID))
		u.testSystemd(t, "user ")
	})
}

// delegate writes the document's unit that gives an ordinary user every controller.
func delegate(t *testing.T) {
	t.Helper()
	text, err := block("Podman", "ini")
	if err != nil {
		t.Fatal(err)
	}
	dir := "/etc/systemd/system/user@.service.d"
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/delegate.conf", []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// testSystemd has what needs a service manager.
func (p *podmanEngine) testSystemd(t *testing.T, who string) {
	m := p.machine
	operation(t, who+"run hello", func(t *T) {
		t.equal("output", p.run(t, nil, "echo", "hello"), "hello")
	})
	operation(t, who+"cgroups of systemd", func(t *T) {
		p.needService(t)
		id := p.start(t, []string{"--cgroupns=host"}, "sleep", "1000")
		t.contains("cgroups", p.do(t, "exec", id, "cat", "/proc/self/cgroup"), "/libpod-"+id+".scope")
		t.equal("the scope", m.systemctl(t, p.rootless, "is-active", "libpod-"+id+".scope"), "active")
		p.do(t, "pause", id)
		p.do(t, "unpause", id)
		p.do(t, "stop", "--time", "0", id)
	})
	operation(t, who+"cgroups split", func(t *T) {
		p.needService(t)
		out := m.service(p.rootless, []string{"--property=Delegate=yes", "--unit=split"}, "podman", "run", "--rm", "--cgroups=split", "--cgroupns=host", "box", "cat", "/proc/self/cgroup").run(t)
		t.contains("cgroups", out, "/split.service/")
	})
	operation(t, who+"limits by systemd", func(t *T) {
		p.needController(t, "memory")
		id := p.start(t, []string{"--memory", "64m", "--pids-limit", "50"}, "sleep", "1000")
		t.contains("of the unit", m.systemctl(t, p.rootless, "show", "--property=TasksMax", "libpod-"+id+".scope"), "50")
		p.do(t, "update", "--memory", "32m", "--pids-limit", "30", id)
	})
	p.testControllers(t, who)
	operation(t, who+"sdnotify conmon", func(t *T) {
		p.notifyUnit(t, []string{"--sdnotify=conmon"}, "sleep", "1000")
		pid := m.systemctl(t, p.rootless, "show", "--value", "--property=MainPID", "notify.service")
		t.equal("the main process", strings.TrimSpace(m.inside("cat", "/proc/"+pid+"/comm").run(t)), "conmon")
	})
	operation(t, who+"sdnotify container", func(t *T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatalf("%v", err)
		}
		p.notifyUnit(t, []string{"--sdnotify=container", "--env", notifyEnv + "=aboard", "--volume", self + ":/notify:ro"}, "/notify")
		t.equal("its words", m.systemctl(t, p.rootless, "show", "--value", "--property=StatusText", "notify.service"), "aboard")
	})
	operation(t, who+"sdnotify healthy", func(t *T) {
		p.notifyUnit(t, []string{"--sdnotify=healthy", "--health-cmd", "test -e /tmp/good", "--health-interval", "1s"}, "sh", "-c", "sleep 2; touch /tmp/good; sleep 1000")
		p.state(t, "notify", "{{.State.Health.Status}}", "healthy")
	})
	operation(t, who+"health timer", func(t *T) { p.healthTimer(t) })
	operation(t, who+"health failure kills", func(t *T) {
		id := p.start(t, []string{"--health-cmd", "false", "--health-retries", "1", "--health-interval", "1s", "--health-on-failure", "kill"}, "sleep", "1000")
		p.state(t, id, "{{.State.Status}} {{.State.ExitCode}}", "exited 137")
	})
	operation(t, who+"startup health check", func(t *T) {
		id := p.start(t, []string{
			"--health-cmd", "true", "--health-interval", "1s", "--health-startup-cmd", "test -e /tmp/up", "--health-startup-interval", "1s",
		}, "sh", "-c", "touch /tmp/up; sleep 1000")
		p.state(t, id, "{{.State.Health.Status}}", "healthy")
	})
	p.testQuadlets(t, who)
}

// testControllers has what Podman does with controllers, by scopes of the service manager.
func (p *podmanEngine) testControllers(t *testing.T, who string) {
	for _, c := range []struct {
		name string
		f    func(t *T)
	}{
		{"limits", p.limits},
		{"stats", p.stats},
		{"update", p.update},
		{"pause", p.pause},
		{"OOM", p.oom},
		{"clone", p.clone},
		{"cgroup configuration", p.cgroupConfiguration},
		{"pod limits", p.podLimits},
		{"pod pause and kill", p.podPause},
		{"build limits", p.buildLimits},
	} {
		operation(t, who+c.name, c.f)
	}
}

// needService skips what Podman has only where it uses systemd for cgroups, which it does not
// for an ordinary user on v1.
func (p *podmanEngine) needService(t *T) {
	if p.rootless && p.machine.mode == "v1" {
		t.Skipf("an ordinary user has no cgroups of v1")
	}
}

// notifyUnit starts a container as a service that says when it is ready.
func (p *podmanEngine) notifyUnit(t *T, options []string, args ...string) {
	t.Helper()
	line := []string{"systemd-run", "--quiet", "--collect", "--unit=notify", "--service-type=notify", "--property=NotifyAccess=all", "--setenv=PODMAN_IGNORE_CGROUPSV1_WARNING=1", "--setenv=HOME=" + p.home()}
	if p.rootless {
		line = append(line, "--user")
	}
	line = append(append(line, "--", "podman", "run", "--name", "notify", "--rm", "--cgroups=no-conmon", "--detach"), options...)
	// systemd forgets it when it has ended.
	t.Cleanup(func() { _ = p.machine.manage(p.rootless, p.systemctlLine("stop", "notify.service")...).try(t) })
	p.removeLater(t, "notify")
	r := p.machine.manage(p.rootless, append(append(line, "box"), args...)...).try(t)
	if r.code != 0 {
		journal := p.machine.inside("journalctl", "--no-pager", "--lines", "20", "--output", "cat").try(t)
		t.Fatalf("systemd-run: exit status %d: %s%s", r.code, r.err, journal.out)
	}
	t.equal("the unit", p.machine.systemctl(t, p.rootless, "is-active", "notify.service"), "active")
}

func (p *podmanEngine) home() string {
	if p.rootless {
		return podmanHome
	}
	return "/root"
}

// healthTimer has a check that systemd starts again and again.
func (p *podmanEngine) healthTimer(t *T) {
	id := p.start(t, []string{"--health-cmd", "test -e /tmp/good", "--health-retries", "1", "--health-interval", "1s"}, "sh", "-c", "touch /tmp/good; sleep 1000")
	p.state(t, id, "{{.State.Health.Status}}", "healthy")
	p.do(t, "exec", id, "rm", "/tmp/good")
	p.state(t, id, "{{.State.Health.Status}}", "unhealthy")
	p.do(t, "exec", id, "touch", "/tmp/good")
	p.state(t, id, "{{.State.Health.Status}}", "healthy")
}

// The quadlets of testQuadlets: files from which podman generates units.
var quadlets = map[string]string{
	"web.container": `[Unit]
Description=A web server
[Container]
Image=localhost/box
Pull=never
ContainerName=web
Exec=httpd -f -p 80 -h /hold
Volume=hold.volume:/hold
Network=quay.network
PodmanArgs=--hostname web
HealthCmd=test -d /hold
HealthInterval=1s
Notify=healthy
ReadOnly=true
NoNewPrivileges=true
DropCapability=all
AddCapability=CAP_NET_BIND_SERVICE
[Service]
Restart=always
RestartSec=0
[Install]
WantedBy=default.target
`,
	"hold.volume":  "[Volume]\nVolumeName=hold\n",
	"quay.network": "[Network]\nNetworkName=quay\n",
	"crew.pod":     "[Pod]\nPodName=crew\n",
	"mate.container": `[Container]
Image=localhost/box
Pull=never
ContainerName=mate
Exec=sleep 1000
Pod=crew.pod
`,
	"ship.kube": "[Kube]\nYaml=ship.yaml\n",
	"ship.yaml": kubeText,
}

// testQuadlets has units that podman generates.
func (p *podmanEngine) testQuadlets(t *testing.T, who string) {
	m := p.machine
	smoke(t, who+"quadlet container", func(t *T) {
		p.needService(t) // for --cgroups=split
		p.quadlets(t, "web.container", "hold.volume", "quay.network")
		t.Cleanup(func() {
			m.systemctl(t, p.rootless, "stop", "web.service", "hold-volume.service", "quay-network.service")
			p.do(t, "volume", "rm", "--force", "hold")
			p.do(t, "network", "rm", "--force", "quay")
		})
		p.startUnit(t, "web.service")
		t.equal("health", p.inspect(t, "web", "{{.State.Health.Status}}"), "healthy")
		first := p.inspect(t, "web", "{{.Id}}")
		p.do(t, "kill", "web")
		t.until("another container", func() error {
			r := p.try(t, "container", "inspect", "--format", "{{.Id}} {{.State.Status}}", "web")
			if r.code != 0 || strings.Contains(r.out, first) || !strings.Contains(r.out, "running") {
				return fmt.Errorf("%s%s", r.out, r.err)
			}
			return nil
		})
		t.until("it is active", func() error {
			if r := m.manage(p.rootless, p.systemctlLine("is-active", "web.service")...).try(t); strings.TrimSpace(r.out) != "active" {
				return fmt.Errorf("it is %s", r.out)
			}
			return nil
		})
		m.systemctl(t, p.rootless, "stop", "web.service")
		if r := p.try(t, "container", "exists", "web"); r.code != 1 {
			t.Errorf("the container is still there")
		}
	})
	operation(t, who+"quadlet pod", func(t *T) {
		p.needService(t)
		p.quadlets(t, "crew.pod", "mate.container")
		t.Cleanup(func() { m.systemctl(t, p.rootless, "stop", "crew-pod.service", "mate.service") })
		p.startUnit(t, "crew-pod.service")
		p.state(t, "mate", "{{.State.Status}}", "running")
		m.systemctl(t, p.rootless, "stop", "crew-pod.service")
		// sleep has been killed, so the service may have failed.
		if state := m.manage(p.rootless, p.systemctlLine("is-active", "mate.service")...).try(t).out; strings.HasPrefix(state, "active") {
			t.Errorf("the pod's service is still there")
		}
	})
	operation(t, who+"quadlet kube", func(t *T) {
		p.quadlets(t, "ship.kube", "ship.yaml")
		t.Cleanup(func() { m.systemctl(t, p.rootless, "stop", "ship.service") })
		p.startUnit(t, "ship.service")
		p.logs(t, "ship-other", "north")
		m.systemctl(t, p.rootless, "stop", "ship.service")
	})
}

// startUnit starts a unit, and shows the journal if that fails.
func (p *podmanEngine) startUnit(t *T, unit string) {
	t.Helper()
	if r := p.machine.manage(p.rootless, p.systemctlLine("start", unit)...).try(t); r.code != 0 {
		journal := p.machine.inside("journalctl", "--no-pager", "--lines", "40", "--output", "cat").try(t)
		t.Fatalf("start %s: %s%s", unit, r.err, journal.out)
	}
}

func (p *podmanEngine) systemctlLine(args ...string) []string {
	line := []string{"systemctl"}
	if p.rootless {
		line = append(line, "--user")
	}
	return append(line, args...)
}

// quadlets installs some of the files, and removes them when the operation ends.
func (p *podmanEngine) quadlets(t *T, names ...string) {
	t.Helper()
	dir := "/etc/containers/systemd"
	if p.rootless {
		dir = podmanHome + "/.config/containers/systemd"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(quadlets[name]), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if p.rootless {
		command{args: []string{"chown", "--recursive", podmanUser, podmanHome + "/.config"}}.run(t)
	}
	t.Cleanup(func() {
		for _, name := range names {
			_ = os.Remove(filepath.Join(dir, name))
		}
		p.machine.systemctl(t, p.rootless, "daemon-reload")
	})
	p.machine.systemctl(t, p.rootless, "daemon-reload")
}
