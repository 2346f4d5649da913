// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
)

// maxInterfaceName is the kernel's IFNAMSIZ less the NUL.
const maxInterfaceName = 15

// netDevices checks the interfaces that move into the container.
func (c *conversion) netDevices() error {
	if len(c.linux.NetDevices) == 0 {
		return nil
	}
	switch {
	case !c.plan.Namespaces.Contains(configs.NewNet):
		return fault("netDevices", "unable to move network devices without a private NET namespace")
	case c.unprivileged:
		return fault("netDevices", "network devices are not supported for rootless containers")
	}
	for _, host := range sortedKeys(c.linux.NetDevices) {
		d := configs.NetDevice{HostName: host, Name: c.linux.NetDevices[host].Name}
		if d.Name == "" {
			d.Name = host
		}
		if !interfaceName(host) {
			return fault("netDevices", "not the name of a network interface: %q", host)
		}
		field := fmt.Sprintf("netDevices[%q]", host)
		// The kernel fills in a number for one %d and refuses any other %.
		if p := strings.Replace(d.Name, "%d", "0", 1); !interfaceName(d.Name) || d.Name != host && strings.Contains(p, "%") {
			return fault(field+".name", "not the name of a network interface: %q", d.Name)
		}
		if i := slices.IndexFunc(c.plan.NetDevices, func(o configs.NetDevice) bool { return o.Name == d.Name }); i >= 0 && !strings.Contains(d.Name, "%d") {
			return fault(field+".name", "%q is also the name of %s", d.Name, c.plan.NetDevices[i].HostName)
		}
		c.plan.NetDevices = append(c.plan.NetDevices, d)
	}
	return nil
}

// interfaceName is the kernel's dev_valid_name.
func interfaceName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxInterfaceName &&
		!strings.ContainsAny(name, "/:\x00 \t\n\v\f\r")
}
