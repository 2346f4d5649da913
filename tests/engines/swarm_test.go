// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// stageNode gives a node of the swarm its own /run, /sys and data, in the network namespace that
// this runs in, and becomes its dockerd.
const stageNode = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$0" /var/lib/docker
mkdir /tmp/cgroup."$1"
mount --rbind /sys/fs/cgroup /tmp/cgroup."$1"
mount -t sysfs sysfs /sys
mount --rbind /tmp/cgroup."$1" /sys/fs/cgroup
umount -R /tmp/cgroup."$1"
rmdir /tmp/cgroup."$1"
mount --make-rshared /
hostname "$1"
shift
exec "$@"`

// node is a node of the swarm: an engine in a network namespace.
type node struct {
	*dockerEngine
	name, address string
}

// startNode starts the n-th node, from 1, on the bridge swarm0.
func startNode(t *testing.T, n int) *node {
	t.Helper()
	name := fmt.Sprintf("n%d", n)
	address := fmt.Sprintf("10.99.0.%d", n)
	data := "/var/lib/docker/" + name
	sh := func(script string) {
		t.Helper()
		command{args: []string{"sh", "-ec", script, name, address}}.run(t)
	}
	t.Cleanup(func() { sh(`ip netns delete "$0"; ip link delete "v$0" 2>/dev/null || true`) })
	sh(`ip netns add "$0"; ip link add "v$0" type veth peer name eth0 netns "$0"; ip link set "v$0" master swarm0 up
		ip -n "$0" link set lo up; ip -n "$0" addr add "$1/24" dev eth0; ip -n "$0" link set eth0 up; ip -n "$0" route add default via 10.99.0.254`)
	config := fmt.Sprintf(`{"runtimes": {"berth": {"path": %q}}, "default-runtime": "berth"}`, runtimePath())
	if err := errors.Join(linkRuntime(), os.MkdirAll(data, 0o755), os.MkdirAll("/tmp/swarm", 0o755), os.WriteFile("/tmp/swarm/daemon.json", []byte(config), 0o644)); err != nil {
		t.Fatal(err)
	}
	d := &dockerEngine{host: "unix:///tmp/swarm/" + name + ".sock", runtime: "berth"}
	d.daemon = start(t, "dockerd-"+name, nil, "nsenter", "--net=/run/netns/"+name, "unshare", "--mount", "--uts",
		"sh", "-c", stageNode, data, name, "dockerd", "--host", d.host, "--config-file", "/tmp/swarm/daemon.json")
	d.answers(t)
	d.importBox(t)
	return &node{d, name, address}
}

// TestSwarm runs services on three engines. The kernel may have no IPVS, so they use no virtual
// addresses.
func TestSwarm(t *testing.T) {
	inRoom(t)
	if suite.smoke {
		return
	}
	sh := func(script string) {
		t.Helper()
		command{args: []string{"sh", "-ec", script}}.run(t)
	}
	// dockerd has left a policy for what is forwarded. Where the kernel asks it about frames between the
	// nodes as well, which begins when br_netfilter is loaded, it is not for these.
	sh("ip link add swarm0 type bridge; ip addr add 10.99.0.254/24 dev swarm0; ip link set swarm0 up; iptables --insert FORWARD --in-interface swarm0 --jump ACCEPT")
	t.Cleanup(func() {
		sh("iptables --delete FORWARD --in-interface swarm0 --jump ACCEPT; ip link delete swarm0; umount /run/netns")
	})
	var nodes []*node
	for n := range 3 {
		nodes = append(nodes, startNode(t, n+1))
	}
	first := nodes[0]
	operation(t, "join", func(t *T) {
		first.do(t, "swarm", "init", "--advertise-addr", first.address)
		token := first.do(t, "swarm", "join-token", "--quiet", "worker")
		for _, n := range nodes[1:] {
			// dockerd waits 20 s and then goes on in the background: nodesReady sees how it ends.
			r := n.try(t, "swarm", "join", "--advertise-addr", n.address, "--token", token, first.address+":2377")
			if r.code != 0 && !strings.Contains(r.err, "will continue in the background") {
				t.Fatalf("exit status %d: %s", r.code, r.err)
			}
		}
		first.nodesReady(t, 3)
		first.do(t, "network", "create", "--driver", "overlay", "--attachable", "net1")
	})
	t.Cleanup(func() {
		for i := range nodes {
			nodes[len(nodes)-1-i].leave(t)
		}
	})
	if t.Failed() {
		return // without a swarm, all that follows would wait in vain
	}
	operation(t, "service", func(t *T) {
		first.do(t, "service", "create", "--detach", "--name", "web", "--replicas", "2", "--endpoint-mode", "dnsrr", "--network", "net1",
			"--no-resolve-image", "--limit-memory", "64m", "--update-order", "start-first", "--update-delay", "0s", "--stop-grace-period", "1s",
			"box", "sh", "-c", "hostname >/tmp/name; exec httpd -f -p 80 -h /tmp")
		first.replicas(t, "web", "2/2")
	})
	operation(t, "scale", func(t *T) {
		first.do(t, "service", "scale", "--detach", "web=6")
		first.replicas(t, "web", "6/6")
		for _, n := range nodes {
			if n.do(t, "ps", "--quiet") == "" {
				t.Errorf("%s has no container", n.name)
			}
		}
		id := strings.Fields(first.do(t, "ps", "--quiet"))[0]
		t.equal("runtime", first.inspect(t, id, ".HostConfig.Runtime"), "berth")
	})
	operation(t, "network between nodes", func(t *T) {
		got := map[string]bool{}
		first.do(t, "run", "--detach", "--name", "client", "--network", "net1", "box", "sleep", "1000")
		t.Cleanup(func() { first.do(t, "rm", "--force", "client") })
		t.until("answers of all six", func() error {
			for line := range strings.Lines(first.try(t, "exec", "client", "nslookup", "web", "127.0.0.11").out) {
				if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[0], "Address") && !strings.Contains(line, "127.0.0.11") {
					address := fields[len(fields)-1]
					if r := first.try(t, "exec", "client", "sh", "-c", `printf 'GET /name HTTP/1.0\r\n\r\n' | nc -w 5 "$0" 80`, address); strings.Contains(r.out, "200 OK") {
						got[address] = true
					}
				}
			}
			if len(got) != 6 {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	})
	operation(t, "rolling update", func(t *T) {
		first.do(t, "service", "update", "--detach", "--no-resolve-image", "--env-add", "VERSION=2", "web")
		t.until("the update", func() error {
			if state := first.inspect(t, "web", "with .UpdateStatus}}{{.State}}{{end"); state != "completed" {
				return errors.New(state)
			}
			return nil
		})
		first.replicas(t, "web", "6/6")
		id := strings.Fields(first.do(t, "ps", "--quiet"))[0]
		t.contains("environment", first.inspect(t, id, ".Config.Env"), "VERSION=2")
	})
	operation(t, "secret and config", func(t *T) {
		first.command("secret", "create", "key", "-").stdinOf([]byte("hidden")).run(t)
		first.do(t, "service", "create", "--detach", "--name", "reader", "--no-resolve-image", "--secret", "key", "--endpoint-mode", "dnsrr",
			"box", "sh", "-c", "echo $(cat /run/secrets/key); exec sleep 1000")
		first.replicas(t, "reader", "1/1")
		t.until("its log", func() error {
			if r := first.try(t, "service", "logs", "--raw", "reader"); !strings.Contains(r.out, "hidden") {
				return errors.New(r.out + r.err)
			}
			return nil
		})
		first.do(t, "service", "rm", "reader")
	})
	// running returns the service's containers on some nodes. Those of others may still be ending.
	running := func(t *T, on []*node) (ids []string) {
		for _, n := range on {
			ids = append(ids, strings.Fields(n.do(t, "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=web"))...)
		}
		return ids
	}
	operation(t, "task killed", func(t *T) {
		id := running(t, nodes[:1])[0]
		first.do(t, "kill", id)
		// Another takes its place, on any node.
		t.until("six others", func() error {
			if ids := running(t, nodes); slices.Contains(ids, id) || len(ids) != 6 {
				return fmt.Errorf("%v", ids)
			}
			return nil
		})
		first.replicas(t, "web", "6/6")
	})
	operation(t, "node lost", func(t *T) {
		// A task that is only assigned to the node when it is lost is counted for ever.
		t.until("six tasks at rest", func() error {
			out := first.do(t, "service", "ps", "web", "--filter", "desired-state=running", "--format", "{{.Node}} {{.CurrentState}}")
			if strings.Count(out, " Running ") != 6 || len(strings.Split(strings.TrimSpace(out), "\n")) != 6 {
				return errors.New(out)
			}
			return nil
		})
		command{args: []string{"ip", "link", "set", "vn3", "down"}}.run(t)
		first.nodesReady(t, 2)
		first.replicas(t, "web", "6/6")
		// The service says that before the tasks of the lost node are counted out.
		t.until("six tasks on two nodes", func() error {
			if ids := running(t, nodes[:2]); len(ids) != 6 {
				return fmt.Errorf("%v", ids)
			}
			return nil
		})
		command{args: []string{"ip", "link", "set", "vn3", "up"}}.run(t)
		first.nodesReady(t, 3)
	})
	operation(t, "service removed", func(t *T) {
		first.do(t, "service", "rm", "web")
		for _, n := range nodes {
			t.until("no container on "+n.name, func() error {
				if ids := n.do(t, "ps", "--all", "--quiet"); ids != "" {
					return errors.New(ids)
				}
				return nil
			})
		}
	})
}

// nodesReady waits until as many nodes are ready, and only these.
func (n *node) nodesReady(t *T, want int) {
	t.Helper()
	t.until(fmt.Sprint(want, " nodes ready"), func() error {
		out := n.do(t, "node", "ls", "--format", "{{.Hostname}} {{.Status}}")
		if strings.Count(out, "Ready") != want {
			return errors.New(out)
		}
		return nil
	})
}

// replicas waits until a service has them.
func (n *node) replicas(t *T, service, want string) {
	t.Helper()
	t.until(want+" replicas", func() error {
		if got := n.do(t, "service", "ls", "--filter", "name="+service, "--format", "{{.Replicas}}"); got != want {
			r := n.try(t, "service", "ps", service, "--no-trunc", "--format", "{{.Node}} {{.CurrentState}} {{.Error}}")
			return errors.New(got + "\n" + r.out)
		}
		return nil
	})
}

// leave ends the node's part in the swarm and removes its containers.
func (n *node) leave(t reporter) {
	n.try(t, "swarm", "leave", "--force")
	n.clear(t)
	// Its bridge and its mounts end with its namespaces.
	n.stop(syscall.SIGTERM)
}
