// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/netplan"
)

// netDevices checks the interfaces that are moved into the container.
func (c *conversion) netDevices() error {
	if len(c.linux.NetDevices) == 0 {
		return nil
	}
	switch {
	case !c.plan.Namespaces.Contains(configs.NewNet):
		return fault.New("netDevices", "unable to move network devices without a private NET namespace")
	case c.unprivileged:
		return fault.New("netDevices", "network devices are not supported for rootless containers")
	}
	var errs fault.List
	for _, host := range sortedKeys(c.linux.NetDevices) {
		d := configs.NetDevice{HostName: host, Name: c.linux.NetDevices[host].Name}
		if d.Name == "" {
			d.Name = host
		}
		if !netplan.InterfaceName(host) {
			errs.Add(fault.New("netDevices", "not the name of a network interface: %q", host))
		}
		field := fmt.Sprintf("netDevices[%q]", host)
		// The kernel replaces one %d by a number and refuses any other %.
		if p := strings.Replace(d.Name, "%d", "0", 1); !netplan.InterfaceName(d.Name) || d.Name != host && strings.Contains(p, "%") {
			errs.Add(fault.New(field+".name", "not the name of a network interface: %q", d.Name))
		}
		if i := slices.IndexFunc(c.plan.NetDevices, func(o configs.NetDevice) bool { return o.Name == d.Name }); i >= 0 && !strings.Contains(d.Name, "%d") {
			errs.Add(fault.New(field+".name", "%q is also the name of %s", d.Name, c.plan.NetDevices[i].HostName))
		}
		c.plan.NetDevices = append(c.plan.NetDevices, d)
	}
	return errs.Err()
}
