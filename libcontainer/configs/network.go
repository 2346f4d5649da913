// SPDX-License-Identifier: Apache-2.0

package configs

import "net/netip"

// Network is how berth itself connects a container (docs/network.md). The container has a new
// network namespace.
type Network struct {
	// Field names the annotation or the option that asks for it, for errors.
	Field string
	// Interfaces has at least one element. No name and no host name occurs twice.
	Interfaces []Veth
	// Hosts and Resolv are the contents of /etc/hosts and /etc/resolv.conf; nil keeps those of
	// the root file system.
	Hosts, Resolv *string
}

// Veth is a pair of interfaces: one in the container, and one that is a port of a bridge.
type Veth struct {
	// Field names the entry of the document, for errors.
	Field string
	// Bridge is the name of the bridge. With CreateBridge it is created if it is missing, and
	// gets BridgeAddresses.
	Bridge          string
	CreateBridge    bool
	BridgeAddresses []netip.Prefix
	// HostName is the name of the end on the bridge; "" for one that the engine derives from
	// the container.
	HostName string
	// Name is the name of the end in the container.
	Name string
	// MAC is the address of the container's end, HostMAC that of the other; zero for one that
	// the engine derives.
	MAC, HostMAC HardwareAddr
	// MTU is for both ends; 0 means the bridge's.
	MTU uint32
	// TxQueueLen is for the container's end; nil means the kernel's default.
	TxQueueLen *uint32
	// Hairpin lets frames leave by the port through which they came.
	Hairpin bool
	// Addresses are the container's, with the prefix lengths of their networks.
	Addresses []netip.Prefix
	// Gateways are routers of default routes, at most one for each family.
	Gateways []netip.Addr
	Routes   []Route
}

// HardwareAddr is a MAC address; the zero value means none.
type HardwareAddr [6]byte

// Route is a route to a network through a gateway. If Gateway is the zero Addr, the destination
// is on the link itself.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
	// Metric is the priority; 0 means the kernel's default.
	Metric uint32
}
