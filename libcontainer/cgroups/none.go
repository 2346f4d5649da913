// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups/v2"
	"github.com/berth-run/berth/libcontainer/configs"
)

// none is the manager of a container that is to have no cgroup (configs.Cgroup.Disabled). What
// it inherits is that of a rootless container to which the host has given none.
type none struct{ *v2.Manager }

func newNone(c *configs.Cgroup) none { return none{v2.Load(nil, c)} }

func (none) CreateBirthplace() (*os.File, error) { return nil, nil }

func (none) Create() error { return nil }

// SetDevices does nothing: only a cgroup can restrict the use of device nodes. Whoever disables
// it decides that.
func (none) SetDevices([]configs.DeviceRule) error { return nil }

func (none) Hierarchies() []Hierarchy { return nil }
