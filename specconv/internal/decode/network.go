// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/codec"
)

// Network is the document of berth's own network annotation (docs/network.md), unchecked except
// for the types. The tags are used for writing one.
type Network struct {
	Version    int         `json:"version"`
	Interfaces []Interface `json:"interfaces"`
	// Hosts is nil if the key is absent.
	Hosts  []Host  `json:"hosts,omitzero"`
	Resolv *Resolv `json:"resolv,omitzero"`
}

// Interface is one of the document's interfaces. Numbers are nil if absent.
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

// Resolv is the content of /etc/resolv.conf.
type Resolv struct {
	Servers []string `json:"servers,omitzero"`
	Search  []string `json:"search,omitzero"`
	Options []string `json:"options,omitzero"`
}

// ParseNetwork parses a Network. For a wrong type or an unknown key, field is the path in the
// document and the error does not repeat it. For invalid JSON, field is "" and the error has
// line and column.
//
// Unlike config.json, which others may extend, the document is ours and has a version. An
// unknown key is a mistake: a setting would be ignored silently.
func ParseNetwork(document string) (n *Network, field string, err error) {
	return strict(document, networkFields)
}

// strict parses an object that has only known keys.
func strict[T any](document string, fields codec.Fields[T]) (v *T, field string, err error) {
	v = new(T)
	err = codec.ReadValue(document, func(c *codec.Coder) error { return codec.StrictValue(c, v, fields) })
	if f := (*codec.Fault)(nil); errors.As(err, &f) {
		return nil, f.Path, errors.New(f.Text)
	}
	if err != nil {
		return nil, "", err
	}
	return v, "", nil
}

// Write returns the document as JSON.
func (n *Network) Write() string { return string(codec.Write(n, networkFields)) }

func networkFields(c *codec.Coder, v *Network) {
	codec.Signed(c, "version", &v.Version)
	codec.StrictRecords(c, "interfaces", &v.Interfaces, interfaceFields)
	codec.StrictRecords(c, "hosts", &v.Hosts, networkHostFields)
	codec.StrictRecord(c, "resolv", &v.Resolv, resolvFields)
}

func interfaceFields(c *codec.Coder, v *Interface) {
	codec.Text(c, "bridge", &v.Bridge)
	codec.Boolean(c, "create", &v.Create)
	codec.Text(c, "hostName", &v.HostName)
	codec.Text(c, "name", &v.Name)
	codec.Text(c, "mac", &v.MAC)
	codec.OptionalUnsigned(c, "mtu", &v.MTU)
	codec.Texts(c, "addresses", &v.Addresses)
	codec.Texts(c, "gateways", &v.Gateways)
	codec.StrictRecords(c, "routes", &v.Routes, routeFields)
	codec.OptionalUnsigned(c, "txQueueLen", &v.TxQueueLen)
	codec.Boolean(c, "hairpin", &v.Hairpin)
}

func routeFields(c *codec.Coder, v *Route) {
	codec.Text(c, "destination", &v.Destination)
	codec.Text(c, "gateway", &v.Gateway)
	codec.OptionalUnsigned(c, "metric", &v.Metric)
}

func networkHostFields(c *codec.Coder, v *Host) {
	codec.Text(c, "address", &v.Address)
	codec.Texts(c, "names", &v.Names)
}

func resolvFields(c *codec.Coder, v *Resolv) {
	codec.Texts(c, "servers", &v.Servers)
	codec.Texts(c, "search", &v.Search)
	codec.Texts(c, "options", &v.Options)
}
