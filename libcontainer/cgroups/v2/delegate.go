// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// delegated lists the files that a delegatee needs (Linux 4.15).
const delegated = "/sys/kernel/cgroup/delegate"

// Delegate makes user uid of the host the owner of the cgroup, or of the last subgroup if the
// plan has some, and of the files that the kernel lists for delegation, so that the user can
// create cgroups below it. The host still owns the files of limits (cgroups(7), "Cgroups v2
// delegation").
func (m *Manager) Delegate(uid int) error {
	if m.dir == "" {
		return nil
	}
	names, err := cgroupfs.ReadProc(delegated)
	if errors.Is(err, os.ErrNotExist) {
		names, err = "cgroup.procs cgroup.subtree_control cgroup.threads", nil
	}
	if err != nil {
		return fmt.Errorf("delegate the cgroup: %w", err)
	}
	dir := string(m.delegatee())
	if err := os.Chown(dir, uid, -1); err != nil {
		return fmt.Errorf("delegate the cgroup: %w", err)
	}
	for name := range strings.FieldsSeq(names) {
		// The list may contain files that this cgroup does not have (memory.reclaim without the
		// controller).
		err := os.Chown(dir+"/"+name, uid, -1)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delegate the cgroup: %w", err)
		}
	}
	return nil
}
