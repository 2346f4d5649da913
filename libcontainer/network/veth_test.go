// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, t := range texts {
		all = append(all, netip.MustParseAddr(t))
	}
	return all
}

// veth returns an interface on br0, the n-th of the test.
func veth(n byte, addresses ...string) configs.Veth {
	return configs.Veth{
		Field: fmt.Sprintf("f[%d]", n), Bridge: "br0", HostName: fmt.Sprintf("h%d", n), Name: "eth0",
		MAC: configs.HardwareAddr{2, 0, 0, 0, 0, n}, HostMAC: configs.HardwareAddr{0xfe, 0, 0, 0, 0, n},
		Addresses: prefixes(addresses...),
	}
}

const bridge = "link add br0 type bridge\nlink set br0 up\naddr add 10.88.0.1/24 dev br0\naddr add fd00::1/64 dev br0 nodad\n"

// TestConnect: all options of a pair.
func TestConnect(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, bridge)
	ns, queue := newNamespace(t), uint32(123)
	v := veth(1, "10.88.0.2/24", "fd00::2/64")
	v.MTU, v.TxQueueLen, v.Hairpin = 1400, &queue, true
	v.Gateways = addrs("10.88.0.1", "fd00::1")
	v.Routes = []configs.Route{
		{Destination: netip.MustParsePrefix("10.99.0.0/16"), Gateway: netip.MustParseAddr("10.88.0.254"), Metric: 7},
		{Destination: netip.MustParsePrefix("10.98.0.0/16")},
		{Destination: netip.MustParsePrefix("fd01::/64")},
	}
	if _, err := Connect(ns, []configs.Veth{v}, "c1", false); err != nil {
		t.Fatal(err)
	}
	out := ip(t, ns, "addr show dev eth0")
	contains(t, out, "mtu 1400", "qlen 123", ",UP,LOWER_UP", "02:00:00:00:00:01", "veth", "inet 10.88.0.2/24 brd 10.88.0.255 scope global eth0",
		"inet6 fd00::2/64 scope global nodad", "inet6 fe80::ff:fe00:1/64 scope link")
	lacks(t, out, "tentative")
	contains(t, ip(t, ns, "route show table all"), "default via 10.88.0.1 dev eth0 table main proto static",
		"10.99.0.0/16 via 10.88.0.254 dev eth0 table main proto static scope global metric 7", "10.98.0.0/16 dev eth0 table main proto static scope link",
		"default via fd00::1 dev eth0 table main proto static", "fd01::/64 dev eth0 table main proto static")
	host := ip(t, nil, "addr show dev h1")
	contains(t, host, "master br0", "mtu 1400", "fe:00:00:00:00:01", "alias berth:c1", "hairpin on", "altname berth-br0-10.88.0.2", "altname berth-br0-fd00__2")
	lacks(t, host, "inet")

	if err := Disconnect([]configs.Veth{v}); err != nil {
		t.Fatal(err)
	}
	if got := links(t, nil) + links(t, ns); got != "br0" {
		t.Errorf("interfaces left: %s", got)
	}
	if err := Disconnect([]configs.Veth{v}); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// TestConnectDefaults: only the required options.
func TestConnectDefaults(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, "link add br0 mtu 1300 type bridge\nlink set br0 up\n")
	ns := newNamespace(t)
	if _, err := Connect(ns, []configs.Veth{veth(1)}, strings.Repeat("i", 300), false); err != nil {
		t.Fatal(err)
	}
	out := ip(t, ns, "addr show dev eth0")
	contains(t, out, "mtu 1300", ",UP,LOWER_UP")
	lacks(t, out, "inet ")
	lacks(t, ip(t, nil, "link show dev h1"), "altname")
}

// TestCreateBridge: a bridge is created once, with its addresses, and an unfinished one is
// finished.
func TestCreateBridge(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	for name, before := range map[string]string{
		"missing":            "",
		"down":               "link add br0 type bridge\n",
		"down, with address": "link add br0 type bridge\naddr add 10.88.0.1/24 brd + dev br0\n",
	} {
		if before != "" {
			ip(t, nil, before)
		}
		v := veth(1, "10.88.0.2/24")
		v.CreateBridge, v.BridgeAddresses = true, prefixes("10.88.0.1/24", "fd00::1/64")
		if _, err := Connect(newNamespace(t), []configs.Veth{v}, "c1", false); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first := ip(t, nil, "addr show dev br0")
		contains(t, first, ",UP", "inet 10.88.0.1/24 brd 10.88.0.255 scope global br0", "inet6 fd00::1/64 scope global nodad")
		w := veth(2, "10.88.0.3/24")
		w.CreateBridge, w.BridgeAddresses = true, prefixes("10.99.0.1/24")
		if _, err := Connect(newNamespace(t), []configs.Veth{w}, "c2", false); err != nil {
			t.Fatalf("%s, again: %v", name, err)
		}
		lacks(t, ip(t, nil, "addr show dev br0"), "10.99.0.1")
		if err := Disconnect([]configs.Veth{v, w}); err != nil {
			t.Fatal(err)
		}
		contains(t, ip(t, nil, "addr show dev br0"), ",UP", "10.88.0.1/24")
		ip(t, nil, "link del br0\n")
	}
}

// TestConnectFails: each error says what is wrong, and nothing is left.
func TestConnectFails(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	type list = []configs.Veth
	change := func(v configs.Veth, f func(*configs.Veth)) configs.Veth { f(&v); return v }
	for _, tc := range []struct {
		name string
		// host and inside are scripts for ip.
		host, inside string
		list         list
		err          string
	}{
		{"no bridge", "link add x type veth\n", "", list{veth(1)}, `f[1].bridge: no such network interface: "br0" ("create" would make it)`},
		{"no bridge but another interface", "link add br0 type veth peer name x\n", "", list{veth(1)}, `f[1].bridge: "br0" is not a bridge`},
		{"bridge is down", "link add br0 type bridge\n", "", list{veth(1)}, `f[1].bridge: "br0" is down: network is down`},
		{"name taken, new bridge", "", "link add eth0 type bridge\n", list{change(veth(1), func(v *configs.Veth) { v.CreateBridge = true })}, `f[1].name: the container has an interface "eth0" already: file exists`},
		{"host name taken", bridge + "link add h2 type bridge\n", "", list{veth(1), change(veth(2), func(v *configs.Veth) { v.Name = "eth1" })}, `f[2].hostName: the host has an interface "h2" already: file exists`},
		{"name taken", bridge, "link add eth0 type bridge\n", list{veth(1)}, `f[1].name: the container has an interface "eth0" already: file exists`},
		{
			"address taken",
			bridge + "link add h7 type bridge\nlink set h7 alias berth:other\nlink property add dev h7 altname berth-br0-10.88.0.3\n", "",
			list{veth(1, "10.88.0.2/24", "10.88.0.3/24")},
			`f[1].addresses[1]: 10.88.0.3 is in use on bridge br0 by h7, of container "other": address already in use`,
		},
		{
			"address taken, IPv6", bridge + "link add h7 type bridge\nlink property add dev h7 altname berth-br0-fd00__3\n", "",
			list{veth(1, "fd00::3/64")},
			`f[1].addresses[0]: fd00::3 is in use on bridge br0 by h7: address already in use`,
		},
		{
			"route the kernel refuses", bridge, "",
			list{change(veth(1, "10.88.0.2/24"), func(v *configs.Veth) {
				v.Routes = []configs.Route{{Destination: netip.MustParsePrefix("10.9.0.0/24")}, {Destination: netip.MustParsePrefix("10.9.0.0/24")}}
			})},
			`f[1].routes[1]: add a route to 10.9.0.0/24: file exists`,
		},
	} {
		ns := newNamespace(t)
		ip(t, nil, tc.host)
		if tc.inside != "" {
			ip(t, ns, tc.inside)
		}
		before, beforeInside := links(t, nil), links(t, ns)
		made, err := Connect(ns, tc.list, "c1", false)
		if err == nil || err.Error() != tc.err {
			t.Errorf("%s:\n got %v\nwant %s", tc.name, err, tc.err)
		}
		if err := RemoveBridges(made); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := links(t, nil); got != before {
			t.Errorf("%s: on the host: %s, before %s", tc.name, got, before)
		}
		if got := links(t, ns); got != beforeInside {
			t.Errorf("%s: in the container: %s, before %s", tc.name, got, beforeInside)
		}
		for links(t, nil) != "" {
			ip(t, nil, "link del "+strings.Fields(links(t, nil))[0])
		}
	}
}

// TestRemoveBridges: only those without ports are removed.
func TestRemoveBridges(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, "link add br0 type bridge\nlink add br1 type bridge\nlink add x type veth peer name y\nlink set x master br1\n")
	if err := RemoveBridges([]string{"br0", "br1", "x", "none"}); err != nil {
		t.Fatal(err)
	}
	if got := sorted(links(t, nil)); got != "br1 x y" {
		t.Errorf("left: %s", got)
	}
}

// TestDyingInTheWay: what is left of a container just after its end is removed by a container
// that wants the name or the address, and by Disconnect if the namespace still exists.
func TestDyingInTheWay(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, bridge)
	for i := range 20 {
		v := veth(byte(1+i%2), "10.88.0.2/24", "fd00::2/64")
		ns := newNamespace(t)
		if _, err := Connect(ns, []configs.Veth{v}, "c", false); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			if err := Disconnect([]configs.Veth{v}); err != nil {
				t.Fatal(err)
			}
			if got := links(t, nil); got != "br0" {
				t.Fatalf("left: %s", got)
			}
		}
		if err := ns.Close(); err != nil {
			t.Fatal(err)
		}
		// As delete does; it may leave the rest to the kernel.
		if err := Disconnect([]configs.Veth{v}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGoneInTheWay: the interface with the name disappears just before it is looked up, so that
// the kernel's error no longer applies. Then the batch is tried again, but not forever.
func TestGoneInTheWay(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, bridge)
	host, err := openConn()
	if err != nil {
		t.Fatal(err)
	}
	defer host.close()
	const inUse = "f[1].addresses[0]: 10.88.0.2 is in use on bridge br0 by another interface: address already in use"
	for _, test := range []struct {
		// times is how often an interface appears and disappears, with the resulting errors.
		times               int
		createErr, claimErr string
	}{
		{0, "", ""},
		{1, "", ""},
		{3, "", ""},
		{4, `f[1].name: the container has an interface "eth0" already: file exists`, inUse},
	} {
		v, ns := veth(1, "10.88.0.2/24"), newNamespace(t)
		p := &port{Veth: &v}
		if err := findBridges(host, []*port{p}); err != nil {
			t.Fatal(err)
		}
		// try executes a batch whose first request fails because of an existing interface. The
		// interface has disappeared when the error is explained.
		try := func(what, come, leave string, batch func() []*request, text string) {
			t.Helper()
			tries := 0
			err := host.doAfter(func(*conn) []*request {
				if tries++; tries <= test.times {
					ip(t, nil, come)
				}
				all := batch()
				explain := all[0].explain
				all[0].explain = func(err error) error {
					ip(t, nil, leave)
					return explain(err)
				}
				return all
			})
			if want := min(test.times+1, 4); tries != want {
				t.Errorf("%s, %d in the way: tried %d times, want %d", what, test.times, tries, want)
			}
			if (err == nil) != (text == "") || err != nil && err.Error() != text {
				t.Errorf("%s, %d in the way: error %v, want %q", what, test.times, err, text)
			}
		}
		create := func() []*request { return p.create(host, ns) }
		try("create", "link add h1 type bridge\n", "link del h1\n", create, test.createErr)
		if err := host.do(create()...); err != nil { // nothing when it is made
			t.Fatal(err)
		}
		try("claim", "link add h7 type bridge\nlink property add dev h7 altname berth-br0-10.88.0.2\n", "link del h7\n",
			func() []*request { return p.claim(host, "c1") }, test.claimErr)
		if err := Disconnect([]configs.Veth{v}); err != nil {
			t.Fatal(err)
		}
		if got := links(t, nil); got != "br0" {
			t.Errorf("left: %s", got)
		}
	}
}

// TestHold: whether it begins at once or later, nothing of it is left at the end.
func TestHold(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, bridge)
	ns, v := newNamespace(t), veth(1, "10.88.0.2/24", "fd00::2/64")
	v.Gateways = addrs("10.88.0.1", "fd00::1")
	list := []configs.Veth{v}
	if _, err := Connect(ns, list, "c1", true); err != nil {
		t.Fatal(err)
	}
	// Connections can still be restored.
	contains(t, ip(t, ns, "addr show dev eth0"), "NO-CARRIER", "inet 10.88.0.2/24", "inet6 fd00::2/64 scope global nodad")
	for _, held := range []bool{true, false, true, true, false, false} {
		f, state := Release, ",UP,LOWER_UP"
		if held {
			f, state = Hold, "NO-CARRIER"
		}
		if err := f(list); err != nil {
			t.Fatal(err)
		}
		contains(t, ip(t, ns, "addr show dev eth0"), state)
	}
	lacks(t, ip(t, ns, "addr show dev eth0"), "tentative", "linkdown")
	contains(t, ip(t, ns, "route show table all"), "default via 10.88.0.1 dev eth0", "default via fd00::1 dev eth0")
	lacks(t, ip(t, nil, "addr show dev h1"), "inet")
	v.HostMAC[5]++ // somebody else's
	for _, f := range []func([]configs.Veth) error{Hold, Release} {
		if err := f([]configs.Veth{v, veth(2)}); err != nil {
			t.Error(err)
		}
	}
	contains(t, ip(t, nil, "link show dev h1"), ",UP,LOWER_UP")
}

// TestSettle: the settings that a builder makes in its namespace, made from outside.
func TestSettle(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	if err := LoopbackUpIn(ns); err != nil {
		t.Fatal(err)
	}
	contains(t, ip(t, ns, "addr show dev lo"), ",UP,LOWER_UP", "inet 127.0.0.1/8")
	err := SetSysctls(ns, []configs.Sysctl{{Key: "net/ipv4/ip_default_ttl", Value: "77"}, {Key: "kernel/nothing", Value: "1"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	read := func() error {
		data, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
		got = string(data)
		return err
	}
	if err := within(ns, read); err != nil || got != "77\n" {
		t.Errorf("%q, %v", got, err)
	}
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl"); err != nil || string(data) == "77\n" {
		t.Errorf("the host has %q, %v", data, err)
	}
	missing := []configs.Sysctl{{Key: "net/nothing", Value: "1"}}
	if err := SetSysctls(ns, missing, true); err != nil {
		t.Error(err)
	}
	err = SetSysctls(ns, missing, false)
	if err == nil || err.Error() != "linux.sysctl: open /proc/sys/net/nothing: no such file or directory" {
		t.Error(err)
	}
}

// TestDisconnectForeign: an interface with this name that is not the container's is kept.
func TestDisconnectForeign(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, "link add h1 type veth peer name x\nlink add h2 address fe:00:00:00:00:02 type bridge\n")
	if err := Disconnect([]configs.Veth{veth(1), veth(2)}); err != nil {
		t.Fatal(err)
	}
	if got := links(t, nil); sorted(got) != "h1 h2 x" {
		t.Errorf("left: %s", got)
	}
}

// TestConnectWithoutRights: the error says what the kernel refuses, and which privileges are
// needed.
func TestConnectWithoutRights(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, bridge)
	err := (&port{Veth: &configs.Veth{Field: "f"}}).explainCreate(nil, &kernelError{errno: unix.EPERM})
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Error(err)
	}
}

// TestBatch: a batch of any length is answered, and the first error is returned.
func TestBatch(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	c, err := openConn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var all []*request
	found := make([]linkInfo, 3*maxBatch)
	for i := range found {
		name := "lo"
		if i == 2*maxBatch+1 || i == 2*maxBatch+7 {
			name = fmt.Sprintf("none%d", i)
		}
		r := getLink(unix.IFLA_IFNAME, name, &found[i], 0)
		r.explain = func(err error) error { return fmt.Errorf("%s: %w", name, err) }
		all = append(all, r)
	}
	err = c.do(all...)
	if want := fmt.Sprintf("none%d: no such device", 2*maxBatch+1); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	for i := range found {
		if want := i != 2*maxBatch+1 && i != 2*maxBatch+7; (found[i].name == "lo") != want {
			t.Fatalf("answer %d: %+v", i, found[i])
		}
	}
}

// FuzzAttributes: no message of the kernel makes us read beyond its end.
func FuzzAttributes(f *testing.F) {
	f.Add([]byte{5, 0, 3, 0, 'a', 0, 0, 0, 4, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for a := range attributes(b) {
			total += unix.SizeofRtAttr + len(a.value)
		}
		if total > len(b) {
			t.Errorf("%d bytes of %d", total, len(b))
		}
		_ = new(linkInfo).parse(b)
	})
}

// BenchmarkConnect measures a container's network, without its namespace.
func BenchmarkConnect(b *testing.B) {
	if os.Getenv(child) == "" {
		b.Skip("run it in a network namespace: BERTH_NETWORK_TEST_CHILD=1 unshare -n network.test -test.bench Connect")
	}
	c, err := openConn()
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	self, err := os.Open("/proc/self/ns/net")
	if err != nil {
		b.Fatal(err)
	}
	defer self.Close()
	v := veth(1, "10.88.0.2/24")
	v.CreateBridge, v.Gateways = true, addrs("10.88.0.1")
	for b.Loop() {
		if _, err := Connect(self, []configs.Veth{v}, "c", false); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := Disconnect([]configs.Veth{v}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
