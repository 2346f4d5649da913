// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// MayEnter checks whether a process of the caller can be placed in d, a cgroup of the v2
// hierarchy at mount. An ordinary user needs write permission for cgroup.procs of d and of the
// common ancestor of d and the caller's own cgroup (cgroups(7), "Delegation containment"). The
// error wraps EACCES. If the caller's cgroup is not known, for example because it is outside of
// the cgroup namespace, the decision is left to the kernel.
func MayEnter(mount, d Dir) error {
	text, err := ReadProc("/proc/self/cgroup")
	if err != nil {
		return err
	}
	for _, m := range ParseMemberships(text) {
		if m.Controllers != "" {
			continue
		}
		if strings.HasPrefix(m.Path, "/..") {
			return nil
		}
		return mayEnter(mount, d, Dir(strings.TrimSuffix(string(mount)+m.Path, "/")))
	}
	return nil
}

// mayEnter is like MayEnter, for a caller in the cgroup own.
func mayEnter(mount, d, own Dir) error {
	above := d
	for above != mount && above != own && !own.below(above) {
		above = above.Parent()
	}
	for _, dir := range [...]Dir{d, above} {
		err := unix.Faccessat(unix.AT_FDCWD, string(dir)+"/cgroup.procs", unix.W_OK, unix.AT_EACCESS)
		if err != nil {
			return fmt.Errorf("%s: to get there from %s takes the right to write to cgroup.procs of %s: %w", d, own, dir, err)
		}
	}
	return nil
}
