// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Part is the part of linux.resources that one controller implements.
type Part struct {
	Controller string
	// Asked reports whether the resources have this part at all. If not, the files of the
	// controller need not exist.
	Asked bool
	Apply func(*Knobs, *specs.LinuxResources)
}

// Apply applies the parts in order and stops at the first that fails. knobs returns the files
// of a controller.
func Apply(r *specs.LinuxResources, knobs func(controller string) Knobs, parts []Part) error {
	for _, s := range parts {
		if !s.Asked {
			continue
		}
		k := knobs(s.Controller)
		if s.Apply(&k, r); k.Err != nil {
			return k.Err
		}
	}
	return nil
}

// SetDevices calls set to apply the device rules, unless the container is rootless. Then it is
// neither possible nor necessary: the kernel does not let such a container use device nodes.
func SetDevices(c *configs.Cgroup, rules []configs.DeviceRule, set func([]configs.DeviceRule) error) error {
	if c.Rootless {
		return nil
	}
	if err := set(rules); err != nil {
		return fmt.Errorf("linux.resources.devices: %w", err)
	}
	return nil
}
