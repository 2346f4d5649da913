// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
)

// refuseUnbuilt tells what a plan asks for that this engine does not do. Ignoring it
// would give a container that is less confined than its config.json says.
func (cr *creation) refuseUnbuilt() error {
	if os.Geteuid() != 0 {
		return errors.New("berth must run as root: rootless containers are not supported yet")
	}
	if ns, ok := cr.cfg.Namespaces.Get(configs.NewUser); ok && ns.Path != "" {
		return errors.New("linux.namespaces: joining a user namespace by path is not supported yet")
	}
	if cr.cfg.Seccomp != nil && !seccomp.Enabled() {
		return errors.New("linux.seccomp: this build of berth has no seccomp support")
	}
	return nil
}

// compileSeccomp turns the profile into the program that init loads.
func (cr *creation) compileSeccomp() error {
	if cr.cfg.Seccomp == nil {
		return nil
	}
	var err error
	cr.filter, err = seccomp.Compile(cr.cfg.Seccomp, cr.store.cacheDir("seccomp"))
	return err
}
