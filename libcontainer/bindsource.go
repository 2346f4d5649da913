// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// openBindSources opens the sources of bind mounts as detached trees, with the rights
// of the runtime: the root of a user namespace may have no way to them. Where the
// runtime is not root itself, it has no more rights than the builder, which then opens
// them.
func (j *buildJob) openBindSources() error {
	if os.Geteuid() != 0 || mountapi.HaveSetAttr() != nil {
		// Needs Linux 5.12, without it: a detached tree cannot be kept from
		// propagating to the host. The builder opens what its root may reach.
		return nil
	}
	for i := range j.Config.Mounts {
		m := &j.Config.Mounts[i]
		if !m.IsBind() || m.Flags&unix.MS_REMOUNT != 0 {
			continue
		}
		tree, err := openBindSource(m, j.Config.Rootfs.Propagation)
		if errors.Is(err, unix.EPERM) {
			continue // euid 0, but without rights over the mount namespace
		}
		if err != nil {
			return fmt.Errorf("%s: mount %s on %s: %w", m.Field, m.Type, m.Destination, err)
		}
		if j.trees == nil {
			j.trees = make([]*os.File, len(j.Config.Mounts))
		}
		j.trees[i] = tree
	}
	return nil
}

// openBindSource clones what m binds. The clone gets the propagation that it would have
// if it came from the container's mount namespace: that one has slaves of the host's
// mounts, and then what rootfsPropagation makes of them.
func openBindSource(m *configs.Mount, propagation uintptr) (*os.File, error) {
	fd, err := mountapi.OpenTree(m.Source, m.Flags&unix.MS_REC != 0)
	if err != nil {
		return nil, err
	}
	tree := os.NewFile(uintptr(fd), m.Source)
	err = mountapi.SetAttr(fd, true, mountapi.Attr{Propagation: unix.MS_SLAVE})
	own := propagation & (unix.MS_PRIVATE | unix.MS_SHARED)
	if err == nil && own != 0 && propagation&unix.MS_REC != 0 {
		err = mountapi.SetAttr(fd, true, mountapi.Attr{Propagation: uint64(own)})
	}
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return tree, nil
}

// receiveTrees takes what openBindSources has opened in the runtime; indices are those
// of the mounts.
func (j *buildJob) receiveTrees(conn *msgConn, indices []int) error {
	files, err := conn.receiveFiles(len(indices))
	j.trees = make([]*os.File, len(j.Config.Mounts))
	for n, f := range files {
		if n < len(indices) && indices[n] >= 0 && indices[n] < len(j.trees) {
			j.trees[indices[n]] = f
		} else {
			_ = f.Close()
		}
	}
	return err
}
