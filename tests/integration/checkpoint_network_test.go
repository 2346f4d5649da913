// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// These tests checkpoint and restore the network of docs/network.md.

const bridged = `[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1", "fd00::1"]}]`

// echo sets up the bridge of bridged in the test's own network namespace, and a server there that
// sends back what it receives. It returns the server's address and a channel with each accepted
// connection.
func echo(t *testing.T, host string) (string, <-chan net.Conn) {
	t.Helper()
	ip(t, 0, "link add br0 type bridge", "addr add 10.88.0.1/24 dev br0", "addr add fd00::1/64 dev br0 nodad", "link set br0 up")
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 1)
	t.Cleanup(func() {
		_ = l.Close()
		for conn := range conns {
			_ = conn.Close()
		}
	})
	go func() {
		defer close(conns)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conns <- conn
		_, _ = io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}) // without splice(2), whose pipe Go would keep open
	}()
	return l.Addr().String(), conns
}

// TestCheckpointNetwork: addresses, routes, loopback and sysctls are restored, and a connection
// to the outside continues, although packets arrive for it in the meantime.
func TestCheckpointNetwork(t *testing.T) {
	for _, host := range []string{"10.88.0.1", "fd00::1"} {
		t.Run(host, func(t *testing.T) {
			k := newCounter(t)
			ownHost(t)
			address, _ := echo(t, host)
			k.network(bridged)
			k.spec.Linux.Sysctl = map[string]string{"net.core.somaxconn": "77"}
			k.holding("remote", address).runAndCount()
			look := func() string {
				text := ip(t, k.pid, "-o addr show", "route show table all", "-6 route show table all")
				var lines []string
				for line := range strings.Lines(text) {
					before, _, _ := strings.Cut(line, "\\") // lifetimes follow
					lines = append(lines, strings.ReplaceAll(before, "linkdown", ""))
				}
				return squeeze(strings.Join(lines, " "))
			}
			before := look()
			for range 2 {
				k.checkpoint("--tcp-established")
				awaitInterfaces(t, "br0")
				k.restore("--tcp-established")
				k.ask()
			}
			want(t, "addresses and routes", look(), before)
			want(t, "sysctl", k.execOut(k.id, "cat", "/proc/sys/net/core/somaxconn"), "77")
			checkRestored(t, k)
			k.command("delete", "--force", k.id).must()
			awaitInterfaces(t, "br0")
		})
	}
}

// checkRestored checks the network of a restored container with bridged.
func checkRestored(t *testing.T, k *counter) {
	t.Helper()
	ping(t, 0, "10.88.0.2")
	ping(t, k.pid, "127.0.0.1")
	ping(t, k.pid, "fd00::1")
	if text := k.stateJSON().Annotations["run.berth.network.status"]; !strings.Contains(text, "10.88.0.2/24") {
		t.Errorf("status %s", text)
	}
}

// TestCheckpointNetworkEarly: what a peer sends while the container is away arrives, although the
// first packets come before anybody can receive them.
func TestCheckpointNetworkEarly(t *testing.T) {
	k := newCounter(t)
	ownHost(t)
	address, conns := echo(t, "10.88.0.1")
	k.network(bridged).annotate("org.criu.config", "")
	k.holding("remote", address).runAndCount()
	conn := <-conns
	defer conn.Close()
	k.checkpoint("--tcp-established")
	for range 100 {
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	// The namespace exists, but the connection does not yet.
	k.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", "busybox ping -c 1 -W 1 10.88.0.2 && echo it answers >&2 && exit 1; exit 0"},
		Env: []string{"PATH=/usr/bin:/bin"},
	}}}
	k.restore("--tcp-established")
	k.ask()
	k.ask()
}

// TestCheckpointNetworkStays: if the container continues to run, its network stays.
func TestCheckpointNetworkStays(t *testing.T) {
	for name, test := range map[string]struct {
		kind, argument string
		options        []string
	}{
		"leave running": {"memory", "1", []string{"--leave-running"}},
		"fails":         {"lock", "/lock", nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCounter(t)
			ownHost(t)
			k.network(bridged)
			k.holding(test.kind, test.argument).runAndCount()
			if res := k.tryCheckpoint(test.options...); (res.status == 0) != (test.options != nil) {
				t.Errorf("status %d, stderr %q", res.status, res.stderr)
			}
			k.ask()
			checkRestored(t, k)
		})
	}
}

// TestCheckpointNetworkInterrupted: the network also stays if criu had no time to clean up.
func TestCheckpointNetworkInterrupted(t *testing.T) {
	k := newCounter(t)
	ownHost(t)
	k.network(bridged)
	k.runAndCount()
	k.interrupted(unix.SIGTERM).fails("criu has died", "")
	k.ask()
	checkRestored(t, k)
}

// TestCheckpointNetworkOption: a network that was given by --network must be given again.
func TestCheckpointNetworkOption(t *testing.T) {
	const option = "bridge=br0,create=true,address=10.88.0.2/24,gateway=10.88.0.1,address=fd00::2/64,gateway=fd00::1"
	k := newCounter(t)
	ownHost(t)
	k.detached("run", "--detach", "--network", option, "--pid-file", k.path("pid"), k.id).must()
	k.pid = k.readPID()
	k.ask()
	k.checkpoint()
	k.tryRestore().fails("linux.namespaces: the network namespace is new, and the checkpoint is without a network", "")
	k.checkNothingLeft()
	k.restore("--network", option)
	k.ask()
	checkRestored(t, k)
	k.checkpoint()
	k.restore("--empty-ns", "network")
	k.ask()
	want(t, "interfaces", interfaces(t, k.pid), "")
	ping(t, k.pid, "127.0.0.1")
}

// TestRestoreNetworkFails: nothing is left behind if the network cannot be created.
func TestRestoreNetworkFails(t *testing.T) {
	k := newCounter(t)
	ownHost(t)
	k.network(bridged)
	k.runAndCount()
	k.checkpoint()
	other := anotherContainer(t, k.container)
	other.network(`[{"bridge": "br0", "addresses": ["10.88.0.2/24"]}]`).create()
	before := interfaces(t, 0)
	k.tryRestore().fails("10.88.0.2 is in use on bridge br0 by ", "")
	want(t, "interfaces of the host", interfaces(t, 0), before)
	k.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
	other.command("delete", "--force", other.id).must()
	k.tryRestore().fails("hooks.createRuntime[0]", "")
	k.checkNothingLeft()
	awaitInterfaces(t, "br0")
	k.spec.Hooks = nil
	k.restore()
	k.ask()
	checkRestored(t, k)
}

// TestRestoreHostNetwork: if the checkpoint was made in the host's network, a config with a
// network namespace does not make berth change the host's network.
func TestRestoreHostNetwork(t *testing.T) {
	k := newCounter(t)
	ownHost(t)
	namespaces := k.spec.Linux.Namespaces
	k.without(specs.NetworkNamespace)
	hostSafe(k.container, specs.NetworkNamespace)
	k.runAndCount()
	k.checkpoint()
	k.spec.Linux.Namespaces = namespaces
	k.network(bridged)
	k.tryRestore().fails("the checkpoint is of a container in the host's", "")
	k.checkNothingLeft()
	awaitInterfaces(t, "")
}
