// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"golang.org/x/sys/unix"
)

// NewMountNamespace makes a mount namespace for a container that has nothing in it but a clone of
// the root file system. A new namespace is usually a copy of the host's: the kernel copies each of
// the host's mounts, and after pivot_root(2) the copies are unmounted, for which it waits for an
// RCU grace period.
//
// It returns nil if the container cannot have one, which is no error, because init then makes a
// namespace as usual. It needs Linux 7.0. Hooks that run before pivot_root(2) need the host's mounts,
// too: the caller must not call it if there are any.
func NewMountNamespace(cfg *configs.Config) *os.File {
	if mountapi.HaveNewNamespace() != nil || !mayHaveOwnTree(cfg) {
		return nil
	}
	root, err := inroot.Open(cfg.Rootfs.Path)
	if err != nil {
		return nil
	}
	defer root.Close()
	fd, err := mountapi.NewNamespace(root.FD())
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "mount namespace of "+cfg.Rootfs.Path)
}

// mayHaveOwnTree reports whether nothing needs the host's mounts in the container's mount namespace:
// neither a user namespace, where the builder is a process that looks for files in there, nor mounts
// that propagate to the host, nor a bind mount of something that an earlier mount of the list has
// made.
func mayHaveOwnTree(cfg *configs.Config) bool {
	const shared = unix.MS_SHARED | unix.MS_UNBINDABLE
	p := cfg.Rootfs.Propagation
	switch {
	case !cfg.Namespaces.IsNew(configs.NewMount) || cfg.Namespaces.Contains(configs.NewUser) || userns.Inside(),
		cfg.NoPivotRoot || cfg.Rootfs.Path == "/",
		p&shared != 0 || p != 0 && p&unix.MS_REC == 0:
		return false
	}
	for i := range cfg.Mounts {
		if m := &cfg.Mounts[i]; m.Destination == "/" || m.IsBind() && mayChange(cfg, i) {
			return false
		}
	}
	return true
}
