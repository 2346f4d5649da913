// SPDX-License-Identifier: Apache-2.0

// Package netplan converts the annotation run.berth.network, or command line options, to the
// interfaces of a plan.
package netplan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/fault"
)

// AnnotationNetwork is berth's own. docs/network.md describes its JSON.
const AnnotationNetwork = "run.berth.network"

// NetworkVersion is the version of the JSON in the annotation run.berth.network.
const NetworkVersion = 1

// Parse parses the JSON text of the annotation. field is its name in errors.
func Parse(field, document string) (*decode.Network, error) {
	n, key, err := decode.ParseNetwork(document)
	if err != nil {
		if key != "" {
			field += "." + key
		}
		return nil, fault.New(field, "%w", err)
	}
	switch {
	case n.Version == 0:
		return nil, fault.New(field+".version", "must be given: %d", NetworkVersion)
	case n.Version != NetworkVersion:
		return nil, fault.New(field+".version", "%d, this berth knows %d", n.Version, NetworkVersion)
	case len(n.Interfaces) == 0:
		return nil, fault.New(field+".interfaces", "must have at least one interface")
	}
	return n, nil
}

// Plan is a Network that is being converted.
type Plan struct {
	// Field is the name of the whole for errors, Interfaces that of the list of interfaces.
	Field, Interfaces string
	Plan              configs.Network
	// gateways are the fields that set a default route: index 0 for IPv4, 1 for IPv6.
	gateways [2]string
}

// AddInterfaces adds the interfaces of the list. They must not conflict with devices that are
// moved in.
func (w *Plan) AddInterfaces(list []decode.Interface, devices []configs.NetDevice) error {
	for i := range list {
		field := fault.Element(w.Interfaces, i)
		v, err := w.veth(&list[i], field, i)
		if err != nil {
			return fault.In(err, field)
		}
		for _, d := range devices {
			if d.Name == v.Name {
				return fault.New(field+".name", "%q is also the name of linux.netDevices[%q]", v.Name, d.HostName)
			}
		}
		for j := range w.Plan.Interfaces {
			other := &w.Plan.Interfaces[j]
			switch {
			case other.Name == v.Name:
				return fault.New(field+".name", "%q is also the name of %s", v.Name, other.Field)
			case v.HostName != "" && other.HostName == v.HostName:
				return fault.New(field+".hostName", "%q is also the host name of %s", v.HostName, other.Field)
			}
			for n, a := range v.Addresses {
				if slices.ContainsFunc(other.Addresses, func(b netip.Prefix) bool { return a.Addr() == b.Addr() }) {
					return fault.New(fault.Element(field+".addresses", n), "%s is also an address of %s", a.Addr(), other.Field)
				}
			}
		}
		w.Plan.Interfaces = append(w.Plan.Interfaces, *v)
	}
	return nil
}

// veth checks one interface. Errors name fields relative to the interface.
func (w *Plan) veth(d *decode.Interface, field string, i int) (*configs.Veth, error) {
	v := &configs.Veth{
		Field: field, Bridge: d.Bridge, CreateBridge: d.Create, HostName: d.HostName, Name: d.Name,
		TxQueueLen: d.TxQueueLen, Hairpin: d.Hairpin,
	}
	if v.Name == "" {
		v.Name = fmt.Sprintf("eth%d", i)
	}
	for _, f := range [...]struct{ field, name string }{{"bridge", v.Bridge}, {"hostName", v.HostName}, {"name", v.Name}} {
		switch {
		case f.name == "" && f.field == "hostName":
		case f.name == "" && f.field == "bridge":
			return nil, fault.New(f.field, "must be given")
		// The kernel would replace %d by a number.
		case !InterfaceName(f.name) || slices.Contains([]byte(f.name), '%'):
			return nil, fault.New(f.field, "not the name of a network interface: %q", f.name)
		}
	}
	switch {
	case v.Name == "lo":
		return nil, fault.New("name", `"lo" is the name of the loopback`)
	case v.HostName == v.Bridge:
		return nil, fault.New("hostName", "%q is the name of the bridge", v.HostName)
	}
	var err error
	if v.MAC, err = parseMAC(d.MAC); err != nil {
		return nil, err
	}
	if v.Addresses, err = parseAddresses(d.Addresses); err != nil {
		return nil, err
	}
	if err := w.setGateways(v, d.Gateways); err != nil {
		return nil, err
	}
	if v.Routes, err = parseRoutes(d.Routes, v.Addresses); err != nil {
		return nil, err
	}
	return v, setMTU(v, d.MTU)
}

// The MTUs that the kernel's veth accepts, and the smallest for IPv6.
const (
	minMTU   = 68
	minMTUv6 = 1280
	// MaxMTU is the largest MTU.
	MaxMTU = 65535
)

func setMTU(v *configs.Veth, mtu *uint32) error {
	if mtu == nil {
		return nil
	}
	if *mtu < minMTU || *mtu > MaxMTU {
		return fault.New("mtu", "%d is out of range (%d to %d)", *mtu, minMTU, MaxMTU)
	}
	if *mtu < minMTUv6 {
		for _, a := range v.Addresses {
			if a.Addr().Is6() {
				return fault.New("mtu", "%d is less than the %d that IPv6 needs, and %s is an IPv6 address", *mtu, minMTUv6, a.Addr())
			}
		}
	}
	v.MTU = *mtu
	return nil
}

func parseMAC(text string) (mac configs.HardwareAddr, err error) {
	if text == "" {
		return mac, nil
	}
	b, err := net.ParseMAC(text)
	if err != nil || len(b) != len(mac) {
		return mac, fault.New("mac", "not a MAC address like 02:00:5e:10:00:01: %q", text)
	}
	mac = configs.HardwareAddr(b)
	if b[0]&1 != 0 || mac == (configs.HardwareAddr{}) {
		return mac, fault.New("mac", "not the address of a single station: %q", text)
	}
	return mac, nil
}

// parseAddresses parses addresses with prefix lengths. An address without one would be a host
// without neighbours, which is hardly intended.
func parseAddresses(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for i, t := range texts {
		field := fault.Element("addresses", i)
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, fault.New(field, "not an address with a prefix length like 10.88.0.2/24: %q", t)
		}
		a := p.Addr()
		switch {
		case a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || isBroadcast(a):
			return nil, fault.New(field, "not an address that an interface can have: %s", t)
		case p.Bits() == 0:
			return nil, fault.New(field, "the prefix length must not be 0: %s", t)
		// In a /31 or /127 both addresses are hosts (RFC 3021, RFC 6164). In other IPv6
		// networks the first one is the anycast address of the routers (RFC 4291).
		case a.BitLen()-p.Bits() > 1 && a == p.Masked().Addr():
			return nil, fault.New(field, "%s is the address of the network itself", t)
		case a.Is4() && a.BitLen()-p.Bits() > 1 && a == lastOf(p):
			return nil, fault.New(field, "%s is the broadcast address of its network", t)
		}
		for _, other := range all {
			if other.Addr() == a {
				return nil, fault.New(field, "%s stands here twice", a)
			}
		}
		all = append(all, p)
	}
	return all, nil
}

func isBroadcast(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// lastOf returns the last address of an IPv4 network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

// setGateways checks the gateways of default routes. If the bridge is to be created, it gets
// their addresses.
func (w *Plan) setGateways(v *configs.Veth, texts []string) error {
	for i, t := range texts {
		field := fault.Element("gateways", i)
		a, err := parseHop(field, t, v.Addresses)
		if err != nil {
			return err
		}
		family := 0
		if a.Is6() {
			family = 1
		}
		if other := w.gateways[family]; other != "" {
			return fault.New(field, "%s is a second default route beside %s", a, other)
		}
		w.gateways[family] = v.Field + "." + field
		v.Gateways = append(v.Gateways, a)
		if p, ok := networkOf(a, v.Addresses); ok {
			v.BridgeAddresses = append(v.BridgeAddresses, netip.PrefixFrom(a, p.Bits()))
		}
	}
	return nil
}

// parseHop parses the address of a router, which must be reachable for the kernel.
func parseHop(field, text string, own []netip.Prefix) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || a.Zone() != "" || a.Is4In6():
		return a, fault.New(field, "not an IP address: %q", text)
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || isBroadcast(a):
		return a, fault.New(field, "not the address of a router: %s", text)
	}
	for _, p := range own {
		if p.Addr() == a {
			return a, fault.New(field, "%s is the interface's own address", a)
		}
	}
	// Link-local addresses of IPv6 are on every link.
	if _, ok := networkOf(a, own); ok || a.Is6() && a.IsLinkLocalUnicast() {
		return a, nil
	}
	return a, fault.New(field, "%s is in the network of none of the addresses", a)
}

// networkOf returns the address whose network contains a.
func networkOf(a netip.Addr, own []netip.Prefix) (netip.Prefix, bool) {
	i := slices.IndexFunc(own, func(p netip.Prefix) bool { return p.Contains(a) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return own[i], true
}

func parseRoutes(list []decode.Route, own []netip.Prefix) ([]configs.Route, error) {
	var all []configs.Route
	for i := range list {
		r, err := parseRoute(&list[i], own)
		if err != nil {
			return nil, fault.At(err, "routes", i)
		}
		all = append(all, r)
	}
	return all, nil
}

func parseRoute(d *decode.Route, own []netip.Prefix) (r configs.Route, err error) {
	p, err := netip.ParsePrefix(d.Destination)
	if err != nil || p.Addr().Is4In6() {
		return r, fault.New("destination", "not a network like 10.99.0.0/16: %q", d.Destination)
	}
	if p != p.Masked() {
		return r, fault.New("destination", "%s has bits behind its prefix, the network is %s", p, p.Masked())
	}
	r.Destination = p
	if d.Metric != nil {
		r.Metric = *d.Metric
	}
	if d.Gateway == "" {
		return r, nil
	}
	if r.Gateway, err = parseHop("gateway", d.Gateway, own); err != nil {
		return r, err
	}
	if r.Gateway.Is4() != p.Addr().Is4() {
		return r, fault.New("gateway", "%s is not of the family of %s", r.Gateway, p)
	}
	return r, nil
}
