// SPDX-License-Identifier: Apache-2.0

package configs

// NetDevice is an interface of the host to move into the container's network
// namespace (linux.netDevices).
type NetDevice struct {
	// HostName is its name on the host.
	HostName string
	// Name is its name in the container. It may contain one "%d", which the kernel replaces by
	// the first free number.
	Name string
}
