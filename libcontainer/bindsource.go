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

// openTrees opens the sources of bind mounts as detached trees, with the rights of the
// runtime: of those with id maps, which take rights over the file system, and, when
// there is a user namespace, of all, for the container's root may have no way to them.
// It is to be called in the host's mount namespace, with init in its namespaces.
func (j *buildJob) openTrees(initPID int) error {
	idMaps := &idMapper{cfg: j.Config, initPID: initPID}
	defer idMaps.close()
	var setattr error
	asked := false
	for i := range j.Config.Mounts {
		m := &j.Config.Mounts[i]
		if !m.IsBind() || m.Flags&unix.MS_REMOUNT != 0 {
			continue
		}
		if m.IDMap == "" && !j.Config.Namespaces.Contains(configs.NewUser) {
			continue
		}
		if !asked {
			setattr, asked = mountapi.HaveSetAttr(), true
		}
		tree, err := openTree(m, j.Config.Rootfs.Propagation, idMaps, setattr)
		if err == nil && tree != nil && j.Config.Namespaces.Contains(configs.NewUser) {
			if err = keepLocked(m, tree); err != nil {
				_ = tree.Close()
			}
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

// openTree opens what m binds; nil leaves it to the builder.
func openTree(m *configs.Mount, propagation uintptr, idMaps *idMapper, setattr error) (*os.File, error) {
	if setattr != nil {
		switch {
		case m.IDMap != "" && errors.Is(setattr, unix.EPERM):
			return nil, fmt.Errorf("id-mapped mount: %w", setattr)
		case m.IDMap != "":
			return nil, fmt.Errorf("id-mapped mounts need Linux 5.12: %w", setattr)
		}
		// Needs Linux 5.12, without it: a detached tree cannot be kept from
		// propagating to the host. The builder opens what its root may reach.
		return nil, nil
	}
	tree, err := openBindSource(m, propagation)
	if errors.Is(err, unix.EPERM) && m.IDMap == "" {
		// Without rights over the mount namespace the runtime has no more of them
		// than the builder.
		return nil, nil
	}
	if err == nil && m.IDMap != "" {
		err = idMaps.apply(m, tree)
	}
	if err != nil && tree != nil {
		err = errors.Join(err, tree.Close())
		tree = nil
	}
	return tree, err
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

// keepLocked refuses options that take a restriction of the host's mount away. The kernel
// locks those flags in what a user namespace gets of the host's mounts, but not in trees
// that the host's root has cloned. statfs(2) has the flags by the same bits as mount(2)
// and mount_setattr(2).
func keepLocked(m *configs.Mount, tree *os.File) error {
	const locked = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	cleared := (uint64(m.Cleared) | m.RecAttrClear) & locked
	if cleared == 0 {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(tree.Fd()), &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if uint64(fs.Flags)&cleared != 0 {
		return fmt.Errorf("the options clear a flag of the host's mount, which a user namespace has locked: %w", unix.EPERM)
	}
	return nil
}

// receiveTrees takes what openTrees has opened in the runtime; indices are those of the
// mounts, of which there are n.
func receiveTrees(conn *msgConn, indices []int, n int) ([]*os.File, error) {
	files, err := conn.receiveFiles(len(indices))
	trees := make([]*os.File, n)
	for i, f := range files {
		if i < len(indices) && indices[i] >= 0 && indices[i] < n {
			trees[indices[i]] = f
		} else {
			_ = f.Close()
		}
	}
	return trees, err
}
