// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// testNamespaces has shared namespaces, users, and cgroups.
func (p *podmanEngine) testNamespaces(t *testing.T) {
	operation(t, "host's namespaces", func(t *T) {
		for _, kind := range []string{"pid", "ipc", "uts", "net", "cgroup"} {
			option := "--" + kind + "=host"
			if kind == "cgroup" {
				option = "--cgroupns=host"
			}
			want, err := os.Readlink("/proc/self/ns/" + kind)
			if err != nil {
				t.Fatalf("%v", err)
			}
			t.equal(kind, p.run(t, []string{option}, "readlink", "/proc/self/ns/"+kind), want)
		}
	})
	operation(t, "namespaces of a container", func(t *T) {
		id := p.start(t, []string{"--ipc=shareable"}, "sleep", "1000")
		for _, kind := range []string{"pid", "ipc", "uts", "net"} {
			want := p.do(t, "exec", id, "readlink", "/proc/self/ns/"+kind)
			t.equal(kind, p.run(t, []string{"--" + kind + "=container:" + id}, "readlink", "/proc/self/ns/"+kind), want)
		}
	})
	operation(t, "userns auto", func(t *T) {
		out := p.run(t, []string{"--userns=auto:size=5000"}, "sh", "-c", "cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /tmp/a && echo made")
		t.contains("in the container", out, "2000000000       5000", "\n0\nmade")
		first := p.start(t, []string{"--userns=auto:size=5000"}, "sleep", "1000")
		second := p.run(t, []string{"--userns=auto:size=5000"}, "cat", "/proc/self/uid_map")
		if second == p.do(t, "exec", first, "cat", "/proc/self/uid_map") {
			t.Errorf("two containers have the same users: %s", second)
		}
	})
	operation(t, "userns mapped", func(t *T) {
		out := p.run(t, []string{"--uidmap", "0:30000:1000", "--gidmap", "0:40000:2000"}, "cat", "/proc/self/uid_map", "/proc/self/gid_map")
		t.equal("maps", strings.Join(strings.Fields(out), " "), "0 30000 1000 0 40000 2000")
	})
	operation(t, "network", func(t *T) { p.network(t) })
	p.testCgroups(t)
}

// network lets two containers talk by name on a network of their own, and one be reached from
// outside.
func (p *podmanEngine) network(t *T) {
	t.Cleanup(func() { p.do(t, "network", "rm", "--force", "--time", "0", "quay") })
	p.do(t, "network", "create", "quay")
	p.start(t, []string{"--network", "quay", "--name", "web", "--publish", "127.0.0.1:8080:80"}, "httpd", "-f", "-p", "80", "-h", "/etc")
	t.until("it answers by name", func() error {
		r := p.try(t, "run", "--rm", "--network", "quay", "box", "wget", "-qO-", "-T", "3", "http://web/passwd")
		if !strings.Contains(r.out, "root:") {
			return fmt.Errorf("%s%s", r.out, r.err)
		}
		return nil
	})
	t.contains("from outside", command{args: []string{"busybox", "wget", "-qO-", "http://127.0.0.1:8080/passwd"}}.run(t), "root:")
}

// testCgroups has podman's ways of using cgroups. --cgroups=split needs a service.
func (p *podmanEngine) testCgroups(t *testing.T) {
	operation(t, "cgroups disabled", func(t *T) {
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			t.Fatalf("%v", err)
		}
		out := p.run(t, []string{"--cgroups=disabled", "--cgroupns=host"}, "cat", "/proc/self/cgroup")
		t.equal("the container's cgroups", out, string(own))
	})
	operation(t, "cgroups without conmon", func(t *T) {
		id := p.start(t, []string{"--cgroups=no-conmon", "--cgroupns=host"}, "sleep", "1000")
		t.contains("the container's cgroups", p.do(t, "exec", id, "cat", "/proc/self/cgroup"), "/libpod-"+id)
		conmon, err := os.ReadFile("/proc/" + p.inspect(t, id, "{{.State.ConmonPid}}") + "/cgroup")
		if err != nil {
			t.Fatalf("%v", err)
		}
		if strings.Contains(string(conmon), "libpod") {
			t.Errorf("conmon's cgroup: %s", conmon)
		}
	})
	operation(t, "cgroup parent", func(t *T) {
		out := p.run(t, []string{"--cgroup-parent", "/dock", "--cgroupns=host"}, "cat", "/proc/self/cgroup")
		t.contains("the container's cgroups", out, "/dock/libpod-")
		removeCgroups(t, "dock")
	})
	operation(t, "cgroup configuration", func(t *T) { p.cgroupConfiguration(t) })
}

func (p *podmanEngine) cgroupConfiguration(t *T) {
	if p.mode() != "v2" {
		t.Skipf("only for cgroup v2")
	}
	t.equal("in the container", p.run(t, []string{"--cgroup-conf", "cgroup.max.depth=3"}, "cat", "/sys/fs/cgroup/cgroup.max.depth"), "3")
}

// removeCgroups removes cgroups of that name at the top of all hierarchies, and those below them.
// conmon may still be in one: it ends after the podman that started it.
func removeCgroups(t reporter, name string) {
	t.Helper()
	tops := []string{"/sys/fs/cgroup"}
	if suite.mode == "v1" {
		entries, _ := os.ReadDir("/sys/fs/cgroup")
		for _, entry := range entries {
			tops = append(tops, "/sys/fs/cgroup/"+entry.Name())
		}
	}
	err := wait(func() error {
		for _, top := range tops {
			removeCgroup(top + "/" + name)
			if exists(top + "/" + name) {
				return fmt.Errorf("%s/%s is still in use", top, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%v", err)
	}
}

func removeCgroup(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			removeCgroup(dir + "/" + entry.Name())
		}
	}
	_ = os.Remove(dir)
}
