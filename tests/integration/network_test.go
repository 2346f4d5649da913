// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownHost moves the rest of the test, with all the processes that it starts, to a new network
// namespace that represents the host's. All bridges of the test are in it.
func ownHost(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("ip")
	require(t, err == nil, "ip (iproute2)")
	runtime.LockOSThread()
	old, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Setns(int(old.Fd()), unix.CLONE_NEWNET), old.Close()); err != nil {
			t.Fatal(err) // and the thread stays locked, so that it ends with the test
		}
		runtime.UnlockOSThread()
	})
	ip(t, 0, "link set lo up")
}

// awaitInterfaces waits until the host has only the given interfaces. The kernel removes those of a
// container asynchronously after its end.
func awaitInterfaces(t *testing.T, wanted string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		t.Fatal(err)
	}
	for news := make([]byte, 32<<10); interfaces(t, 0) != wanted; {
		if err := pollIn(fd); err != nil {
			t.Fatalf("interfaces of the host are %q, want %q: %v", interfaces(t, 0), wanted, err)
		}
		if _, err := unix.Read(fd, news); err != nil && err != unix.ENOBUFS {
			t.Fatal(err)
		}
	}
}

// network sets the annotation. rest is the list of interfaces, and the keys after it.
func (c *container) network(rest string) *container {
	return c.annotate("run.berth.network", `{"version": 1, "interfaces": `+rest+`}`)
}

// ping sends one packet from the network namespace of a process; 0 means the test's own. It uses
// busybox, which needs no privileges for it and is on the host of all tests.
func ping(t *testing.T, pid int, options ...string) {
	t.Helper()
	command := append([]string{"busybox", "ping", "-c", "1", "-W", "5"}, options...)
	if pid != 0 {
		command = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid)}, command...)
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Errorf("ping %v: %v: %s", options, err, out)
	}
}

// TestNetworkPing: the introductory example of the documents, as an annotation and as an option.
func TestNetworkPing(t *testing.T) {
	for _, form := range []string{"annotation", "option"} {
		t.Run(form, func(t *testing.T) {
			c := newContainer(t).args("true")
			ownHost(t)
			var options []string
			if form == "annotation" {
				c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`)
			} else {
				options = []string{"--network", "bridge=br0,address=10.88.0.2/24,gateway=10.88.0.1,create=true"}
			}
			c.create(options...)
			ping(t, c.pid, "10.88.0.1")
			ping(t, 0, "10.88.0.2")
			c.start().wait()
			c.command("delete", c.id).must()
			awaitInterfaces(t, "br0")
			if out := ip(t, 0, "addr show dev br0"); !strings.Contains(out, "inet 10.88.0.1/24") {
				t.Errorf("bridge: %q", out)
			}
		})
	}
}

// TestNetworkAtOnce: when the program starts, its network is ready, with its routes.
func TestNetworkAtOnce(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/net/route", "/proc/net/if_inet6", "/sys/class/net/eth0/operstate")
	ownHost(t)
	out := squeeze(c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1"], "mac": "02:00:00:00:00:07"}]`).output())
	// The last number is the flags of the address: 80 is permanent, 02 nodad, and 40 would be
	// tentative.
	for _, w := range []string{
		"eth0 00000000 0100580A 0003", "fd000000000000000000000000000002 02 40 00 82 eth0",
		"fe80000000000000000000fffe000007 02 40 20 82 eth0",
	} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
}

// TestNetworkTCP: connections over IPv4 and IPv6 work from the start.
func TestNetworkTCP(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1", "fd00::1"]}]`).create()
	for _, address := range []string{"10.88.0.1", "fd00::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				got <- err.Error()
				return
			}
			text, _ := io.ReadAll(conn)
			_ = conn.Close()
			got <- string(text)
		}()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		cmd := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", c.pid), "busybox", "nc", "-w", "5", address, port)
		cmd.Stdin = strings.NewReader("hello")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("nc %s: %v: %s", address, err, out)
			_ = l.Close()
		}
		want(t, "what came over "+address, <-got, "hello")
		_ = l.Close()
	}
}

// TestNetworkEverything: all settings of an interface, on two bridges.
func TestNetworkEverything(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	ip(t, 0, "link add br1 type bridge", "link set br1 up")
	c.network(`[
{"bridge": "br0", "create": true, "hostName": "web0", "name": "net0", "mac": "02:00:5e:10:00:01", "mtu": 1400, "txQueueLen": 77, "hairpin": true,
 "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1", "fd00::1"],
 "routes": [{"destination": "10.99.0.0/16", "gateway": "10.88.0.254", "metric": 7}]},
{"bridge": "br1", "addresses": ["10.89.0.2/24"]}]`).create()
	want(t, "interfaces of the container", interfaces(t, c.pid), "eth1 net0")
	out := ip(t, c.pid, "addr show dev net0")
	for _, w := range []string{"mtu 1400", "qlen 77", "02:00:5e:10:00:01", ",UP,LOWER_UP", "inet 10.88.0.2/24", "inet6 fd00::2/64"} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
	out = ip(t, c.pid, "route show", "-6 route show")
	for _, w := range []string{"default via 10.88.0.1 dev net0", "10.99.0.0/16 via 10.88.0.254 dev net0", "metric 7", "default via fd00::1 dev net0", "10.89.0.0/24 dev eth1"} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
	out = ip(t, 0, "-d link show dev web0")
	for _, w := range []string{"master br0", "mtu 1400", "hairpin on", "alias berth:" + c.id} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
	ping(t, c.pid, "-s", "1372", "10.88.0.1")
	ping(t, c.pid, "fd00::1")
	c.start().wait()
	c.command("delete", c.id).must()
	awaitInterfaces(t, "br0 br1")
}

// TestNetworkTwenty: twenty containers that are created at the same time create one bridge, and
// all of them can be reached.
func TestNetworkTwenty(t *testing.T) {
	const n = 20
	first := newContainer(t)
	ownHost(t)
	all := []*container{first}
	for len(all) < n {
		all = append(all, anotherContainer(t, first))
	}
	for i, c := range all {
		c.network(fmt.Sprintf(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.%d/24", "fd00::%x/64"], "gateways": ["10.88.0.1", "fd00::1"]}]`, i+2, i+2))
	}
	for i, r := range createAll(t, all) {
		r.must()
		all[i].pid = all[i].readPID()
	}
	for i, c := range all {
		ping(t, 0, fmt.Sprintf("10.88.0.%d", i+2))
		ping(t, c.pid, fmt.Sprintf("fd00::%x", (i+1)%n+2))
	}
	for _, c := range all {
		c.command("delete", "--force", c.id).must()
	}
	awaitInterfaces(t, "br0")
}

// createAll creates containers at the same time.
func createAll(t *testing.T, all []*container) (results []*result) {
	t.Helper()
	var commands []*running
	for _, c := range all {
		c.write()
		commands = append(commands, c.launch(nil, "create", "--pid-file", c.path("pid"), c.id))
	}
	for i, c := range all {
		r, err := c.finish(commands[i])
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// TestNetworkSameAddressAtOnce: only one of many containers that want an address at the same time
// gets it.
func TestNetworkSameAddressAtOnce(t *testing.T) {
	first := newContainer(t)
	ownHost(t)
	all := []*container{first}
	for len(all) < 8 {
		all = append(all, anotherContainer(t, first))
	}
	for i, c := range all {
		c.network(fmt.Sprintf(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.%d/24", "fd00::2/64"], "gateways": ["10.88.0.1"]}]`, i+2))
	}
	lucky := 0
	for _, r := range createAll(t, all) {
		if r.status == 0 {
			lucky++
			continue
		}
		r.fails("interfaces[0].addresses[1]: fd00::2 is in use on bridge br0 by bt", "")
	}
	want(t, "number of containers with the address", fmt.Sprint(lucky), "1")
	want(t, "number of interfaces", fmt.Sprint(len(strings.Fields(interfaces(t, 0)))), "2")
}

// TestNetworkSameAddress: the second container with an address gets an error. After the first one
// is deleted, it gets the address.
func TestNetworkSameAddress(t *testing.T) {
	first := newContainer(t)
	ownHost(t)
	first.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"]}]`).create()
	c := anotherContainer(t, first)
	c.network(`[{"bridge": "br0", "addresses": ["10.88.0.3/24", "10.88.0.2/24"]}]`)
	before := interfaces(t, 0)
	c.createFails(`annotations["run.berth.network"].interfaces[0].addresses[1]: 10.88.0.2 is in use on bridge br0 by `)
	c.createFails(fmt.Sprintf(`of container "%s": address already in use`, first.id))
	want(t, "interfaces of the host", interfaces(t, 0), before)
	first.command("delete", "--force", first.id).must()
	c.create()
	c.start().wait()
}

// TestNetworkAgain: a container is created repeatedly with the same id, after the last one has
// ended in different ways, and is reachable each time.
func TestNetworkAgain(t *testing.T) {
	c := newContainer(t).args("true")
	ownHost(t)
	c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`)
	for range 3 {
		c.run().must()
		c.create()
		ping(t, 0, "10.88.0.2")
		c.command("delete", "--force", c.id).must()
		c.create().start().wait()
		c.command("delete", c.id).must()
	}
	awaitInterfaces(t, "br0")
}

// TestNetworkFails: the error names the field, and nothing is left behind.
func TestNetworkFails(t *testing.T) {
	const field = `annotations["run.berth.network"]`
	for name, tc := range map[string]struct{ network, err string }{
		"syntax":              {`[}`, field + `: line 1, column 31: invalid character '}'`},
		"unknown key":         {`[{"bridge": "br0", "colour": []}]`, field + `.interfaces[0].colour: unknown key`},
		"no bridge":           {`[{"bridge": "none"}]`, field + `.interfaces[0].bridge: no such network interface: "none"`},
		"not a bridge":        {`[{"bridge": "br0"}, {"bridge": "lo"}]`, field + `.interfaces[1].bridge: "lo" is not a bridge`},
		"bridge is down":      {`[{"bridge": "down0"}]`, field + `.interfaces[0].bridge: "down0" is down`},
		"host name taken":     {`[{"bridge": "br0"}, {"bridge": "br0", "hostName": "down0"}]`, field + `.interfaces[1].hostName: the host has an interface "down0" already: file exists`},
		"route":               {`[{"bridge": "br0", "routes": [{"destination": "10.0.0.0/8"}, {"destination": "10.0.0.0/8"}]}]`, field + `.interfaces[0].routes[1]: add a route to 10.0.0.0/8: file exists`},
		"new bridge, no room": {`[{"bridge": "br9", "create": true}, {"bridge": "br0", "hostName": "down0"}]`, field + `.interfaces[1].hostName: the host has an interface "down0" already`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			ownHost(t)
			ip(t, 0, "link add br0 type bridge", "link set br0 up", "link add down0 type bridge")
			c.network(tc.network).createFails(tc.err)
			awaitInterfaces(t, "br0 down0")
		})
	}
}

// TestNetworkNeedsNamespace: berth does not change a network namespace that it has not created.
func TestNetworkNeedsNamespace(t *testing.T) {
	const text = `annotations["run.berth.network"]: needs a new network namespace: linux.namespaces `
	first := newContainer(t)
	ownHost(t)
	first.create()
	c := anotherContainer(t, first)
	c.network(`[{"bridge": "br0", "create": true}]`).namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", first.pid))
	c.createFails(text + "joins /proc/")
	c.without(specs.NetworkNamespace).createFails(text + "has none of type network")
	want(t, "interfaces of the host", interfaces(t, 0), "")
}

// TestNetworkNames: the container gets the requested /etc/hosts and /etc/resolv.conf, even in a
// read-only root file system without these files. The image does not change.
func TestNetworkNames(t *testing.T) {
	c := newContainer(t).args("cat", "/etc/hosts", "/etc/resolv.conf")
	ownHost(t)
	c.spec.Root.Readonly = true
	c.spec.Hostname = "web"
	c.annotate("run.berth.network", `{"version": 1, "interfaces": [{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"]}],
"hosts": [{"address": "10.88.0.3", "names": ["db", "db.example"]}],
"resolv": {"servers": ["10.88.0.1"], "search": ["example"], "options": ["ndots:2"]}}`)
	want(t, "files", c.output(), "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.88.0.2\tweb\n10.88.0.3\tdb\tdb.example\n"+
		"nameserver 10.88.0.1\nsearch example\noptions ndots:2")
	// A container that could write there would fill a tmpfs of the host.
	c.args("sh", "-c", "echo x >>/etc/hosts").spec.Root.Readonly = false
	if r := c.run(); r.status == 0 || !strings.Contains(r.stderr, "Read-only file system") {
		t.Errorf("write to /etc/hosts: status %d, %s", r.status, r.stderr)
	}
	for _, name := range []string{"hosts", "resolv.conf"} {
		if data, err := os.ReadFile(c.path("rootfs", "etc", name)); err == nil && strings.Contains(string(data), "10.88.0") {
			t.Errorf("%s of the image is %q", name, data)
		}
	}
}

// TestNetworkWithDevice: linux.netDevices can be used in addition.
func TestNetworkWithDevice(t *testing.T) {
	c := newContainer(t)
	ownNetwork(t)
	c.netDevice("host0", "eth1").network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`).create()
	want(t, "interfaces of the container", interfaces(t, c.pid), "eth0 eth1")
	checkHost0(t, ip(t, c.pid, "addr show dev eth1"), "eth1")
	ping(t, c.pid, "10.88.0.1")
}

// TestNetworkSysctl: sysctls may refer to the interfaces, and take precedence.
func TestNetworkSysctl(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra", "/proc/sys/net/ipv6/conf/eth1/accept_ra")
	ownHost(t)
	c.spec.Linux.Sysctl = map[string]string{"net.ipv6.conf.eth1.accept_ra": "2"}
	want(t, "accept_ra", c.network(`[{"bridge": "br0", "create": true}, {"bridge": "br0"}]`).output(), "0\n2")
}

// TestNetworkInUserNamespace: the runtime can configure a network namespace that the container's
// user namespace owns.
func TestNetworkInUserNamespace(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	// As for any bind mount, the container's root creates missing mount points, but it does not
	// own this image.
	if err := os.WriteFile(c.path("rootfs", "etc", "hosts"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.namespace(specs.UserNamespace, "")
	c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	c.spec.Linux.GIDMappings = c.spec.Linux.UIDMappings
	c.args("cat", "/etc/hosts").annotate("run.berth.network", `{"version": 1, "interfaces": [{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}], "hosts": []}`).create()
	ping(t, c.pid, "10.88.0.1")
	c.start().wait()
}
