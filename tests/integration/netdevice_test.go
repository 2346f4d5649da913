// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownNetwork is ownHost with a device "host0" whose peer is "peer0".
func ownNetwork(t *testing.T) {
	t.Helper()
	ownHost(t)
	ip(t, 0, "link add host0 mtu 1400 type veth peer name peer0", "link set peer0 up",
		"addr add 192.0.2.5/24 dev host0", "addr add 203.0.113.9/24 scope link dev host0",
		"addr add 2001:db8::5/64 dev host0 nodad", "link set host0 up")
}

// ip runs commands of ip(8) in the network namespace of a process; 0 means the test's own.
func ip(t *testing.T, pid int, commands ...string) string {
	t.Helper()
	var all []byte
	for _, c := range commands {
		cmd := exec.Command("ip", strings.Fields(c)...)
		if pid != 0 {
			cmd = exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", pid), "ip"}, strings.Fields(c)...)...)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v: %s", c, err, out)
		}
		all = append(all, out...)
	}
	return squeeze(string(all))
}

// interfaces lists the interfaces of a namespace by name, sorted, without lo.
func interfaces(t *testing.T, pid int) string {
	t.Helper()
	path := "/proc/thread-self/net/dev"
	if pid != 0 {
		path = fmt.Sprintf("/proc/%d/net/dev", pid)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name != "lo" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// netDevice adds a device to the config.
func (c *container) netDevice(host, name string) *container {
	if c.spec.Linux.NetDevices == nil {
		c.spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{}
	}
	c.spec.Linux.NetDevices[host] = specs.LinuxNetDevice{Name: name}
	return c
}

func checkHost0(t *testing.T, out, name string) {
	t.Helper()
	for _, w := range []string{"mtu 1400", ",UP,LOWER_UP", "inet 192.0.2.5/24 scope global " + name, "inet6 2001:db8::5/64 scope global"} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
}

func TestNetDevice(t *testing.T) {
	for name, w := range map[string]string{"eth0": "eth0", "": "host0", "net%d": "net0"} {
		t.Run("named "+name, func(t *testing.T) {
			c := newContainer(t)
			ownNetwork(t)
			c.netDevice("host0", name).create()
			want(t, "interfaces of the container", interfaces(t, c.pid), w)
			want(t, "interfaces of the host", interfaces(t, 0), "peer0")
			out := ip(t, c.pid, "addr show dev "+w)
			checkHost0(t, out, w)
			if strings.Contains(out, "203.0.113.9") {
				t.Errorf("an address of link scope in %q", out)
			}
			c.start().wait()
		})
	}
}

// TestNetDeviceTwice: two devices exchange their names.
func TestNetDeviceTwice(t *testing.T) {
	c := newContainer(t)
	ownNetwork(t)
	c.netDevice("host0", "peer0").netDevice("peer0", "host0").create()
	want(t, "interfaces of the container", interfaces(t, c.pid), "host0 peer0")
	want(t, "interfaces of the host", interfaces(t, 0), "")
	checkHost0(t, ip(t, c.pid, "addr show dev peer0"), "peer0")
	c.start().wait()
}

// TestNetDeviceInUserNamespace: the runtime can configure the container's network namespace if a
// user namespace owns it.
func TestNetDeviceInUserNamespace(t *testing.T) {
	c := newContainer(t)
	ownNetwork(t)
	c.namespace(specs.UserNamespace, "")
	c.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	c.spec.Linux.GIDMappings = c.spec.Linux.UIDMappings
	c.netDevice("host0", "eth0").create()
	checkHost0(t, ip(t, c.pid, "addr show dev eth0"), "eth0")
	c.start().wait()
}

func TestNetDeviceInJoinedNamespace(t *testing.T) {
	first := newContainer(t)
	ownNetwork(t)
	first.create()
	ip(t, first.pid, "link add eth0 type veth peer name eth1")
	c := anotherContainer(t, first)
	c.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", first.pid))
	c.netDevice("host0", "eth1").createFails(`linux.netDevices["host0"]: the container has an interface "eth1" already: file exists`)
	checkHost0(t, ip(t, 0, "addr show dev host0"), "host0")
	c.netDevice("host0", "eth%d").create()
	want(t, "interfaces of the container", interfaces(t, c.pid), "eth0 eth1 eth2")
	c.start().wait()
	first.start().wait()
}

// TestNetDeviceBeforeHooks: hooks and sysctls find the devices under their new names.
func TestNetDeviceBeforeHooks(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/sys/net/ipv4/conf/eth7/forwarding")
	ownNetwork(t)
	c.netDevice("host0", "eth7")
	c.spec.Linux.Sysctl = map[string]string{"net.ipv4.conf.eth7.forwarding": "1"}
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{
		"sh", "-c", `pid=$(tr ',' '\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'); grep eth7: /proc/$pid/net/dev >` + c.path("out"),
	}}}}
	want(t, "forwarding", c.output(), "1")
	data, err := os.ReadFile(c.path("out"))
	if err != nil || !strings.Contains(string(data), "eth7:") {
		t.Errorf("the hook saw %q, %v", data, err)
	}
}

// TestNetDeviceUndone: a failure, even a late one, leaves the host unchanged.
func TestNetDeviceUndone(t *testing.T) {
	cases := []struct {
		name   string
		change func(*container)
		err    string
	}{
		{"missing device", func(c *container) { c.netDevice("none0", "") }, `linux.netDevices["none0"]: no such network interface: "none0"`},
		{"taken name", func(c *container) { c.netDevice("peer0", "lo") }, `linux.netDevices["peer0"]: the container has an interface "lo" already: file exists`},
		{"device that cannot move", func(c *container) { c.netDevice("lo", "lo1") }, `linux.netDevices["lo"]: move to the other network namespace as "lo1": invalid argument`},
		{"command not found", func(c *container) { c.args("/no/such/command") }, "/no/such/command"},
		{"failing hook", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
		}, "hooks.createRuntime[0]"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			ownNetwork(t)
			c.netDevice("host0", "eth0")
			tc.change(c)
			c.createFails(tc.err)
			want(t, "interfaces of the host", interfaces(t, 0), "host0 peer0")
			checkHost0(t, ip(t, 0, "addr show dev host0"), "host0")
		})
	}
}

// TestNetDeviceNeedsNamespace: a device needs another network namespace to be moved to.
func TestNetDeviceNeedsNamespace(t *testing.T) {
	const text = "linux.netDevices: unable to move network devices without a private NET namespace"
	t.Run("none", func(t *testing.T) {
		c := newContainer(t)
		ownNetwork(t)
		c.without(specs.NetworkNamespace).netDevice("host0", "eth0").createFails(text)
		want(t, "interfaces of the host", interfaces(t, 0), "host0 peer0")
	})
	t.Run("the host's by path", func(t *testing.T) {
		c := newContainer(t)
		ownNetwork(t)
		path := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		c.namespace(specs.NetworkNamespace, path).netDevice("host0", "eth0").createFails(text)
		want(t, "interfaces of the host", interfaces(t, 0), "host0 peer0")
	})
}
