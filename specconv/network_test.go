// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/netplan"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func uint32Of(n uint32) *uint32 { return &n }

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// connected converts an example with the annotation, or with options if that is "".
func connected(t *testing.T, annotation string, options ...string) (*configs.Config, error) {
	t.Helper()
	s := example()
	s.Hostname = "web"
	if annotation != "" {
		s.Annotations = map[string]string{netplan.AnnotationNetwork: annotation}
	}
	o := newBundle(t).Options
	o.Networks = options
	return Convert(s, &o)
}

const fullNetwork = `{"version": 1,
 "interfaces": [
  {"bridge": "br0", "create": true, "hostName": "web0", "name": "net0", "mac": "02:00:5e:10:00:01", "mtu": 1400,
   "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1", "fd00::1"],
   "routes": [{"destination": "10.99.0.0/16", "gateway": "10.88.0.254", "metric": 7}, {"destination": "fd01::/64"}],
   "txQueueLen": 500, "hairpin": true},
  {"bridge": "br1"}],
 "hosts": [{"address": "10.88.0.3", "names": ["db", "db.example"]}],
 "resolv": {"servers": ["10.88.0.1", "fe80::1%eth0"], "search": ["example", "test"], "options": ["ndots:2"]}}`

func TestNetwork(t *testing.T) {
	plan, err := connected(t, fullNetwork)
	if err != nil {
		t.Fatal(err)
	}
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"10.88.0.2\tweb\nfd00::2\tweb\n10.88.0.3\tdb\tdb.example\n"
	resolv := "nameserver 10.88.0.1\nnameserver fe80::1%eth0\nsearch example test\noptions ndots:2\n"
	field := `annotations["run.berth.network"]`
	want := &configs.Network{
		Field: field,
		Interfaces: []configs.Veth{{
			Field: field + ".interfaces[0]", Bridge: "br0", CreateBridge: true,
			BridgeAddresses: prefixes("10.88.0.1/24", "fd00::1/64"),
			HostName:        "web0", Name: "net0", MAC: configs.HardwareAddr{2, 0, 0x5e, 0x10, 0, 1}, MTU: 1400,
			TxQueueLen: uint32Of(500), Hairpin: true, Addresses: prefixes("10.88.0.2/24", "fd00::2/64"),
			Gateways: []netip.Addr{netip.MustParseAddr("10.88.0.1"), netip.MustParseAddr("fd00::1")},
			Routes: []configs.Route{
				{Destination: netip.MustParsePrefix("10.99.0.0/16"), Gateway: netip.MustParseAddr("10.88.0.254"), Metric: 7},
				{Destination: netip.MustParsePrefix("fd01::/64")},
			},
		}, {
			Field: field + ".interfaces[1]", Bridge: "br1", Name: "eth1",
		}},
		Hosts: &hosts, Resolv: &resolv,
	}
	if !reflect.DeepEqual(plan.Network, want) {
		t.Errorf("got  %+v\nwant %+v", plan.Network, want)
	}
}

// TestNetworkOptions: the short form has the same result.
func TestNetworkOptions(t *testing.T) {
	long, err := connected(t, `{"version": 1, "interfaces": [
{"bridge": "br0", "create": true, "hostName": "web0", "name": "net0", "mac": "02:00:5e:10:00:01", "mtu": 1400, "txQueueLen": 0, "hairpin": true,
 "addresses": ["10.88.0.2/24", "fd00::2/64"], "gateways": ["10.88.0.1"],
 "routes": [{"destination": "10.99.0.0/16", "gateway": "10.88.0.254"}, {"destination": "10.98.0.0/16"}]},
{"bridge": "br1", "addresses": ["10.89.0.2/24"]}],
"hosts": [{"address": "10.88.0.3", "names": ["db"]}],
"resolv": {"servers": ["10.88.0.1"], "search": ["a", "b"], "options": ["ndots:2"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	short, err := connected(t, "",
		"bridge=br0,create=true,host-name=web0,name=net0,mac=02:00:5e:10:00:01,mtu=1400,txqueuelen=0,hairpin=true,"+
			"address=10.88.0.2/24,address=fd00::2/64,gateway=10.88.0.1,route=10.99.0.0/16@10.88.0.254,route=10.98.0.0/16,"+
			"hosts=true,host=db@10.88.0.3,dns=10.88.0.1,search=a,search=b,dns-option=ndots:2",
		"bridge=br1,create=false,hairpin=false,address=10.89.0.2/24")
	if err != nil {
		t.Fatal(err)
	}
	long.Network.Field, short.Network.Field = "", ""
	for i := range long.Network.Interfaces {
		long.Network.Interfaces[i].Field, short.Network.Interfaces[i].Field = "", ""
	}
	if !reflect.DeepEqual(short.Network, long.Network) {
		t.Errorf("short %+v\nlong  %+v", short.Network, long.Network)
	}
}

func TestNoNetwork(t *testing.T) {
	if plan, err := connected(t, ""); err != nil || plan.Network != nil {
		t.Errorf("%+v, %v", plan, err)
	}
	// Only what is asked for is written.
	plan, err := connected(t, "", "bridge=br0,hosts=false")
	if err != nil || plan.Network.Hosts != nil || plan.Network.Resolv != nil {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestBadNetwork(t *testing.T) {
	one := func(members string) string { return `{"version": 1, "interfaces": [{"bridge": "br0"` + members + `}]}` }
	for _, tc := range []struct{ document, err string }{
		{`{`, `: line 1, column 2: unexpected end of the file`},
		{`[]`, `: expected an object, found an array`},
		{`{"interfaces": []}`, `.version: must be given: 1`},
		{`{"version": 2}`, `.version: 2, this berth knows 1`},
		{`{"version": "1"}`, `.version: expected an integer, found a string`},
		{`{"version": 1}`, `.interfaces: must have at least one interface`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}, {"bridge": "b", "mtu": "1"}]}`, `.interfaces[1].mtu: expected an integer, found a string`},
		{`{"version": 1, "interfaces": [{}]}`, `.interfaces[0].bridge: must be given`},
		{`{"version": 1, "interfaces": [null]}`, `.interfaces[0]: expected an object, found null`},
		{`{"Version": 1}`, `.Version: unknown key`},
		{one(`, "colour": []`), `.interfaces[0].colour: unknown key`},
		{one(`, "name": "a/b"`), `.interfaces[0].name: not the name of a network interface: "a/b"`},
		{one(`, "name": "eth%d"`), `.interfaces[0].name: not the name of a network interface: "eth%d"`},
		{one(`, "name": "sixteen-letters-"`), `.interfaces[0].name: not the name of a network interface`},
		{one(`, "name": "lo"`), `.interfaces[0].name: "lo" is the name of the loopback`},
		{one(`, "hostName": "a b"`), `.interfaces[0].hostName: not the name of a network interface: "a b"`},
		{one(`, "hostName": "br0"`), `.interfaces[0].hostName: "br0" is the name of the bridge`},
		{one(`, "mac": "02:00:00"`), `.interfaces[0].mac: not a MAC address like 02:00:5e:10:00:01: "02:00:00"`},
		{one(`, "mac": "01:00:5e:00:00:01"`), `.interfaces[0].mac: not the address of a single station`},
		{one(`, "mac": "00:00:00:00:00:00"`), `.interfaces[0].mac: not the address of a single station`},
		{one(`, "mtu": 67`), `.interfaces[0].mtu: 67 is out of range (68 to 65535)`},
		{one(`, "mtu": 65536`), `.interfaces[0].mtu: 65536 is out of range (68 to 65535)`},
		{one(`, "mtu": -1`), `.interfaces[0].mtu: number -1 is out of range (0 to 4294967295)`},
		{one(`, "mtu": 1279, "addresses": ["fd00::2/64"]`), `.interfaces[0].mtu: 1279 is less than the 1280 that IPv6 needs, and fd00::2 is an IPv6 address`},
		{one(`, "addresses": ["10.0.0.1"]`), `.interfaces[0].addresses[0]: not an address with a prefix length like 10.88.0.2/24: "10.0.0.1"`},
		{one(`, "addresses": ["10.0.0.0/24"]`), `.interfaces[0].addresses[0]: 10.0.0.0/24 is the address of the network itself`},
		{one(`, "addresses": ["10.0.0.255/24"]`), `.interfaces[0].addresses[0]: 10.0.0.255/24 is the broadcast address of its network`},
		{one(`, "addresses": ["10.0.0.2/0"]`), `.interfaces[0].addresses[0]: the prefix length must not be 0`},
		{one(`, "addresses": ["127.0.0.2/8"]`), `.interfaces[0].addresses[0]: not an address that an interface can have`},
		{one(`, "addresses": ["224.0.0.2/8"]`), `.interfaces[0].addresses[0]: not an address that an interface can have`},
		{one(`, "addresses": ["::ffff:10.0.0.2/120"]`), `.interfaces[0].addresses[0]: not an address`},
		{one(`, "addresses": ["fe80::1%eth0/64"]`), `.interfaces[0].addresses[0]: not an address with a prefix length`},
		{one(`, "addresses": ["10.0.0.2/24", "10.0.0.2/16"]`), `.interfaces[0].addresses[1]: 10.0.0.2 stands here twice`},
		{one(`, "gateways": ["10.0.0.1"]`), `.interfaces[0].gateways[0]: 10.0.0.1 is in the network of none of the addresses`},
		{one(`, "addresses": ["10.0.0.2/24"], "gateways": ["10.0.0.2"]`), `.interfaces[0].gateways[0]: 10.0.0.2 is the interface's own address`},
		{one(`, "addresses": ["10.0.0.2/24"], "gateways": ["10.0.0.1", "10.0.0.3"]`), `.interfaces[0].gateways[1]: 10.0.0.3 is a second default route beside annotations["run.berth.network"].interfaces[0].gateways[0]`},
		{one(`, "gateways": ["x"]`), `.interfaces[0].gateways[0]: not an IP address: "x"`},
		{one(`, "gateways": ["0.0.0.0"]`), `.interfaces[0].gateways[0]: not the address of a router: 0.0.0.0`},
		{one(`, "routes": [{"destination": "10.0.0.0"}]`), `.interfaces[0].routes[0].destination: not a network like 10.99.0.0/16: "10.0.0.0"`},
		{one(`, "routes": [{"destination": "10.0.0.1/8"}]`), `.interfaces[0].routes[0].destination: 10.0.0.1/8 has bits behind its prefix, the network is 10.0.0.0/8`},
		{one(`, "routes": [{"destination": "10.0.0.0/8", "gateway": "10.1.1.1"}]`), `.interfaces[0].routes[0].gateway: 10.1.1.1 is in the network of none of the addresses`},
		{one(`, "addresses": ["10.0.0.2/24"], "routes": [{"destination": "fd00::/64", "gateway": "10.0.0.1"}]`), `.interfaces[0].routes[0].gateway: 10.0.0.1 is not of the family of fd00::/64`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}, {"bridge": "b", "name": "eth0"}]}`, `.interfaces[1].name: "eth0" is also the name of annotations["run.berth.network"].interfaces[0]`},
		{`{"version": 1, "interfaces": [{"bridge": "b", "hostName": "h"}, {"bridge": "c", "hostName": "h"}]}`, `.interfaces[1].hostName: "h" is also the host name of`},
		{`{"version": 1, "interfaces": [{"bridge": "b", "addresses": ["10.0.0.2/24"]}, {"bridge": "c", "addresses": ["10.0.0.2/8"]}]}`, `.interfaces[1].addresses[0]: 10.0.0.2 is also an address of`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "hosts": [{"address": "x", "names": ["a"]}]}`, `.hosts[0].address: not an IP address: "x"`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "hosts": [{"address": "::1"}]}`, `.hosts[0].names: must have at least one name`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "hosts": [{"address": "::1", "names": ["a\n1.2.3.4 b"]}]}`, `.hosts[0].names[0]: not the name of a host: "a\n1.2.3.4 b"`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "resolv": {"servers": ["x"]}}`, `.resolv.servers[0]: not an IP address: "x"`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "resolv": {"search": [""]}}`, `.resolv.search[0]: must be one word: ""`},
		{`{"version": 1, "interfaces": [{"bridge": "b"}], "resolv": {"options": ["a b"]}}`, `.resolv.options[0]: must be one word: "a b"`},
	} {
		_, err := connected(t, tc.document)
		want := `annotations["run.berth.network"]` + tc.err
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", tc.document, err, want)
		}
	}
}

func TestBadNetworkOptions(t *testing.T) {
	for _, tc := range []struct{ option, err string }{
		{"", `--network[1]: not of the form key=value: ""`},
		{"br0", `--network[1]: not of the form key=value: "br0"`},
		{"bridge=", `--network[1]: not of the form key=value: "bridge="`},
		{"bridge=br0,bridge=br1", `--network[1].bridge: given twice: "br0" and "br1"`},
		{"bridge=br0,mtu=1400,mtu=1500", `--network[1].mtu: given twice: "1400" and "1500"`},
		{"bridge=br0,create=true,create=false", `--network[1].create: given twice: "true" and "false"`},
		{"bridge=br0,color=red", `--network[1].color: unknown key`},
		{"bridge=br0,create=yes", `--network[1].create: must be true or false, not "yes"`},
		{"bridge=br0,mtu=big", `--network[1].mtu: not a number: "big"`},
		{"bridge=br0,mtu=9", `--network[1].mtu: 9 is out of range`},
		{"bridge=br0,address=10.0.0.2", `--network[1].addresses[0]: not an address with a prefix length`},
		{"bridge=br0,host=db", `--network[1].host: not of the form NAME@ADDRESS: "db"`},
		{"bridge=br0,name=eth0", `--network[1].name: "eth0" is also the name of --network[0]`},
	} {
		_, err := connected(t, "", "bridge=br9", tc.option)
		if err == nil || !strings.HasPrefix(err.Error(), tc.err) {
			t.Errorf("%s: got %v, want %s", tc.option, err, tc.err)
		}
	}
	if _, err := connected(t, fullNetwork, "bridge=br0"); err == nil ||
		err.Error() != `--network: the config.json has annotations["run.berth.network"] already` {
		t.Error(err)
	}
}

// TestNetworkOfOthers: containers that cannot be connected, and conflicts.
func TestNetworkOfOthers(t *testing.T) {
	const field = `annotations["run.berth.network"]`
	for name, tc := range map[string]struct {
		change func(*specs.Spec, *Options)
		euid   int
		err    string
	}{
		"no namespace": {
			change: func(s *specs.Spec, _ *Options) {
				s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
			},
			err: field + ": needs a new network namespace: linux.namespaces has none of type network",
		},
		"joined namespace": {
			change: func(s *specs.Spec, _ *Options) {
				for i := range s.Linux.Namespaces {
					if s.Linux.Namespaces[i].Type == specs.NetworkNamespace {
						s.Linux.Namespaces[i].Path = "/proc/1/ns/net"
					}
				}
			},
			err: field + ": needs a new network namespace: linux.namespaces joins /proc/1/ns/net",
		},
		"rootless": {
			change: func(s *specs.Spec, o *Options) {
				o.Rootless = true
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
				s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 1000, Size: 1}}
				s.Linux.GIDMappings = s.Linux.UIDMappings
				s.Mounts = nil
			},
			euid: 1000,
			err:  field + ": not supported for rootless containers",
		},
		"name of a device": {
			change: func(s *specs.Spec, _ *Options) {
				s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"wg0": {Name: "eth0"}}
			},
			err: field + `.interfaces[0].name: "eth0" is also the name of linux.netDevices["wg0"]`,
		},
		"mount on hosts": {
			change: func(s *specs.Spec, _ *Options) {
				s.Mounts = []specs.Mount{{Destination: "/etc/hosts", Type: "bind", Source: "/x"}}
			},
			err: field + ".hosts: mounts[0] mounts something on /etc/hosts already",
		},
		"mount on resolv.conf": {
			change: func(s *specs.Spec, _ *Options) {
				s.Mounts = []specs.Mount{{Destination: "/etc/resolv.conf", Type: "bind", Source: "/x"}}
			},
			err: field + ".resolv: mounts[0] mounts something on /etc/resolv.conf already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, o := example(), newBundle(t).Options
			s.Annotations = map[string]string{
				netplan.AnnotationNetwork: `{"version": 1, "interfaces": [{"bridge": "br0"}], "hosts": [], "resolv": {}}`,
			}
			tc.change(s, &o)
			if _, err := convert(s, &o, tc.euid); err == nil || !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("got %v, want %s", err, tc.err)
			}
		})
	}
}

// FuzzNetwork: no panic, and accepted values are within the kernel's limits.
func FuzzNetwork(f *testing.F) {
	f.Add(fullNetwork, "")
	f.Add("", "bridge=br0,address=10.88.0.2/24,gateway=10.88.0.1,route=10.99.0.0/16@10.88.0.254,host=a@::1")
	f.Fuzz(func(t *testing.T, document, option string) {
		c := &conversion{
			spec: &specs.Spec{}, opts: &Options{},
			plan: &configs.Config{Namespaces: configs.Namespaces{{Type: configs.NewNet}}},
		}
		if option != "" {
			c.opts.Networks = []string{option}
		} else {
			c.spec.Annotations = map[string]string{netplan.AnnotationNetwork: document}
		}
		if err := c.network(); err != nil {
			if !strings.HasPrefix(err.Error(), `annotations["run.berth.network"]`) && !strings.HasPrefix(err.Error(), "--network") {
				t.Errorf("the error names no field: %v", err)
			}
			return
		}
		for _, v := range c.plan.Network.Interfaces {
			if !netplan.InterfaceName(v.Bridge) || !netplan.InterfaceName(v.Name) || v.HostName != "" && !netplan.InterfaceName(v.HostName) || v.MTU > netplan.MaxMTU {
				t.Errorf("%+v", v)
			}
			for _, a := range v.Addresses {
				if !a.IsValid() || a.Addr().Zone() != "" {
					t.Errorf("address %v", a)
				}
			}
		}
	})
}

// TestDocumentedNetwork: the example in docs/network.md works as it is.
func TestDocumentedNetwork(t *testing.T) {
	text, err := os.ReadFile("../docs/network.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "cat >network.json <<'END'\n")
	document, _, ok := strings.Cut(rest, "END\n")
	if !ok {
		t.Fatal("no JSON in it")
	}
	if _, err := connected(t, document); err != nil {
		t.Error(err)
	}
	options := regexp.MustCompile(`--network (\S+=\S+)`).FindAllStringSubmatch(string(text), -1)
	for _, o := range options {
		if o[1] == "KEY=VALUE,…`" {
			continue
		}
		if _, err := connected(t, "", o[1]); err != nil {
			t.Error(err)
		}
	}
	if len(options) < 2 {
		t.Errorf("options: %q", options)
	}
}
