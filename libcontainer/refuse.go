// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
)

// refuseUnbuilt tells what a plan asks for that this engine does not do. Ignoring it
// would give a container that is less confined than its config.json says.
func (cr *creation) refuseUnbuilt() error {
	if unprivileged() && !cr.cfg.Namespaces.Contains(configs.NewUser) {
		return errors.New("linux.namespaces: rootless container requires user namespaces")
	}
	if cr.cfg.Seccomp != nil && !seccomp.Enabled() {
		return errors.New("linux.seccomp: this build of berth has no seccomp support")
	}
	cr.cfg.MountLabel = mountLabel(cr.cfg)
	return checkLabels(&cr.cfg.Process)
}
