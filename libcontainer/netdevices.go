// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/network"
)

// moveNetDevices moves linux.netDevices into the container. Init is in its network
// namespace by then and, not reaped, still owns its number in /proc. It is done
// before the hooks, which may configure the devices, and before the sysctls, which may
// name them.
func (cr *creation) moveNetDevices() error {
	if len(cr.cfg.NetDevices) == 0 {
		return nil
	}
	netns, err := os.Open(filepath.Join("/proc", strconv.Itoa(cr.init.PID), "ns/net"))
	if err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	defer netns.Close()
	if cr.devices, err = network.MoveDevices(netns, cr.cfg.NetDevices); err != nil {
		return err
	}
	// Before init is killed: with its namespace a virtual device would die, too.
	cr.undo.Push("move network devices back", cr.devices.Back)
	return nil
}
