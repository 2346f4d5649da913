// SPDX-License-Identifier: Apache-2.0

package decode

import "errors"

// Network is the document of berth's own network annotation (docs/network.md), as it
// stands there: nothing is checked but the types. The tags are for writing one.
type Network struct {
	Version    int         `json:"version"`
	Interfaces []Interface `json:"interfaces"`
	// Hosts is nil when the key is absent.
	Hosts  []Host  `json:"hosts,omitzero"`
	Resolv *Resolv `json:"resolv,omitzero"`
}

// Interface is one of the document's interfaces. Numbers are nil when absent.
type Interface struct {
	Bridge     string   `json:"bridge"`
	Create     bool     `json:"create,omitzero"`
	HostName   string   `json:"hostName,omitzero"`
	Name       string   `json:"name,omitzero"`
	MAC        string   `json:"mac,omitzero"`
	MTU        *uint32  `json:"mtu,omitzero"`
	Addresses  []string `json:"addresses,omitzero"`
	Gateways   []string `json:"gateways,omitzero"`
	Routes     []Route  `json:"routes,omitzero"`
	TxQueueLen *uint32  `json:"txQueueLen,omitzero"`
	Hairpin    bool     `json:"hairpin,omitzero"`
}

// Route is one of an interface's routes.
type Route struct {
	Destination string  `json:"destination"`
	Gateway     string  `json:"gateway,omitzero"`
	Metric      *uint32 `json:"metric,omitzero"`
}

// Host is a line of /etc/hosts.
type Host struct {
	Address string   `json:"address"`
	Names   []string `json:"names"`
}

// Resolv is what /etc/resolv.conf says.
type Resolv struct {
	Servers []string `json:"servers,omitzero"`
	Search  []string `json:"search,omitzero"`
	Options []string `json:"options,omitzero"`
}

// ParseNetwork reads a Network. Of a wrong type or an unknown key, field is the path in
// the document and the error does not repeat it; of what is not JSON, field is "" and the
// error tells line and column.
//
// Unlike config.json, which others may extend, the document is ours and has a version: a
// key that nobody knows is a mistake, and would otherwise be a setting that is ignored.
func ParseNetwork(document string) (n *Network, field string, err error) {
	d := &decoder{text: document}
	n = new(Network)
	err = d.whole(func() error { return strict(d, n, connectionFields) })
	if f := (*fault)(nil); errors.As(err, &f) {
		return nil, f.path, errors.New(f.text)
	}
	if err != nil {
		return nil, "", err
	}
	return n, "", nil
}

// strict is object for keys that must be known, exactly as they are written.
func strict[T any](d *decoder, v *T, fields []field[T]) error {
	if d.peek() != '{' {
		return d.mismatch("an object")
	}
	return d.members(func(key string) (string, error) {
		for i := range fields {
			if fields[i].name == key {
				return key, fields[i].decode(d, v)
			}
		}
		return key, d.fail(d.pos, "unknown key")
	})
}

func stricts[T any](d *decoder, v *[]T, fields []field[T]) error {
	return array(d, v, func(d *decoder, e *T) error { return strict(d, e, fields) })
}

var connectionFields = []field[Network]{
	{"version", func(d *decoder, v *Network) error { return signed(d, &v.Version) }},
	{"interfaces", func(d *decoder, v *Network) error { return stricts(d, &v.Interfaces, interfaceFields) }},
	{"hosts", func(d *decoder, v *Network) error { return stricts(d, &v.Hosts, networkHostFields) }},
	{"resolv", func(d *decoder, v *Network) error {
		v.Resolv = new(Resolv)
		return strict(d, v.Resolv, resolvFields)
	}},
}

var interfaceFields = []field[Interface]{
	{"bridge", func(d *decoder, v *Interface) error { return text(d, &v.Bridge) }},
	{"create", func(d *decoder, v *Interface) error { return boolean(d, &v.Create) }},
	{"hostName", func(d *decoder, v *Interface) error { return text(d, &v.HostName) }},
	{"name", func(d *decoder, v *Interface) error { return text(d, &v.Name) }},
	{"mac", func(d *decoder, v *Interface) error { return text(d, &v.MAC) }},
	{"mtu", func(d *decoder, v *Interface) error { return optional(d, &v.MTU, unsigned[uint32]) }},
	{"addresses", func(d *decoder, v *Interface) error { return texts(d, &v.Addresses) }},
	{"gateways", func(d *decoder, v *Interface) error { return texts(d, &v.Gateways) }},
	{"routes", func(d *decoder, v *Interface) error { return stricts(d, &v.Routes, routeFields) }},
	{"txQueueLen", func(d *decoder, v *Interface) error { return optional(d, &v.TxQueueLen, unsigned[uint32]) }},
	{"hairpin", func(d *decoder, v *Interface) error { return boolean(d, &v.Hairpin) }},
}

var routeFields = []field[Route]{
	{"destination", func(d *decoder, v *Route) error { return text(d, &v.Destination) }},
	{"gateway", func(d *decoder, v *Route) error { return text(d, &v.Gateway) }},
	{"metric", func(d *decoder, v *Route) error { return optional(d, &v.Metric, unsigned[uint32]) }},
}

var networkHostFields = []field[Host]{
	{"address", func(d *decoder, v *Host) error { return text(d, &v.Address) }},
	{"names", func(d *decoder, v *Host) error { return texts(d, &v.Names) }},
}

var resolvFields = []field[Resolv]{
	{"servers", func(d *decoder, v *Resolv) error { return texts(d, &v.Servers) }},
	{"search", func(d *decoder, v *Resolv) error { return texts(d, &v.Search) }},
	{"options", func(d *decoder, v *Resolv) error { return texts(d, &v.Options) }},
}
