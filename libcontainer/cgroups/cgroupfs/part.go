// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Part is what of linux.resources one controller carries out.
type Part struct {
	Controller string
	// Asked says whether the resources have that part at all: the files of a
	// controller that nothing is asked of need not exist.
	Asked bool
	Apply func(*Knobs, *specs.LinuxResources)
}

// Apply carries the parts out in their order and stops at the first that fails; knobs
// are the files of a controller.
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

// SetDevices has set apply the device rules. Without root rights over the host there is
// no way to, nor any need: the kernel refuses device nodes to such a container.
func SetDevices(c *configs.Cgroup, rules []configs.DeviceRule, set func([]configs.DeviceRule) error) error {
	if c.Rootless {
		return nil
	}
	if err := set(rules); err != nil {
		return fmt.Errorf("linux.resources.devices: %w", err)
	}
	return nil
}
