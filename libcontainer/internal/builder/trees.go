// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
	"golang.org/x/sys/unix"
)

// openTrees opens mounts as detached trees, with the rights of the runtime. It opens those with
// id maps, which need rights over the file system. If there is a user namespace, it also opens
// the sources of all bind mounts, because the container's root may not be able to reach them,
// and the sysfs of a network namespace that the user namespace does not own. Call it in the
// host's mount namespace, when init (with that pid and pidfd) is in its namespaces.
func (j *buildJob) openTrees(pid int, pidfd *os.File) error {
	span := j.track.Begin("open sources of mounts")
	return span.End(j.openAll(pid, pidfd))
}

func (j *buildJob) openAll(pid int, pidfd *os.File) error {
	o := &TreeOpener{cfg: j.Config, pidfd: pidfd, ownTree: j.onHost != nil, idMaps: &idMapper{cfg: j.Config, initPID: pid}}
	defer func() {
		if j.opener == nil {
			o.Close()
		}
	}()
	for i := range j.Config.Mounts {
		m := &j.Config.Mounts[i]
		if m.CopySymlink && o.needsBindTree(m) {
			if link, err := os.Readlink(m.Source); err == nil {
				m.SourceLink = link
				continue
			}
		}
		if j.ordered && o.needsBindTree(m) && o.HaveSetAttr() == nil && mayChange(j.Config, i) {
			deferred, err := o.deferBind(i, m)
			if err != nil {
				return rootfs.MountError(m, err)
			}
			if deferred {
				j.InOrder, j.opener = append(j.InOrder, i), o
			}
			continue
		}
		tree, err := o.open(m)
		if err != nil {
			return rootfs.MountError(m, err)
		}
		if tree == nil {
			continue
		}
		if j.trees == nil {
			j.trees = make([]*os.File, j.treeCount())
		}
		j.trees[i] = tree
	}
	return j.openDevices()
}

// TreeOpener opens the trees of a job.
type TreeOpener struct {
	cfg    *configs.Config
	pidfd  *os.File
	idMaps *idMapper
	// ownTree is Site.OwnTree.
	ownTree bool
	// probed is set when setattr holds the result of mountapi.HaveSetAttr.
	probed  bool
	setattr error
	// early holds the clones of what is to be opened in order, by the index of the mount.
	early map[int]*os.File
}

// NewTreeOpener returns a TreeOpener for a container whose user namespace does not exist yet.
func NewTreeOpener(cfg *configs.Config) *TreeOpener {
	return &TreeOpener{cfg: cfg, idMaps: &idMapper{cfg: cfg}}
}

// Close releases what openInOrder would need.
func (o *TreeOpener) Close() {
	o.idMaps.close()
	for _, f := range o.early {
		_ = f.Close()
	}
}

// needsBindTree reports whether m is a bind mount whose source the builder may not open itself.
func (o *TreeOpener) needsBindTree(m *configs.Mount) bool {
	return m.Flags&unix.MS_REMOUNT == 0 && m.IsBind() &&
		(m.IDMap != "" || o.ownTree || o.cfg.Namespaces.Contains(configs.NewUser))
}

// deferBind prepares for openInOrder. If it returns false, the mount is left to the builder.
func (o *TreeOpener) deferBind(index int, m *configs.Mount) (bool, error) {
	if m.IDMap != "" {
		// A user namespace needs a process, which must not be started from a thread in the
		// container's namespaces.
		if _, err := o.idMaps.userns(m); err != nil {
			return false, err
		}
	}
	tree, err := openBindSource(m, o.cfg.Rootfs.Propagation)
	if errors.Is(err, unix.EPERM) && m.IDMap == "" {
		return false, nil // see openTree
	}
	if err == nil {
		if o.early == nil {
			o.early = make(map[int]*os.File)
		}
		o.early[index] = tree
	}
	return true, nil // what does not exist now may exist by then
}

// open opens the tree of one mount. A nil file leaves it to the builder.
func (o *TreeOpener) open(m *configs.Mount) (*os.File, error) {
	mapped := o.cfg.Namespaces.Contains(configs.NewUser)
	switch {
	case m.Flags&unix.MS_REMOUNT != 0:
	case o.needsBindTree(m):
		return o.Bind(m)
	case m.IDMap != "":
		return o.idMapped(m)
	case m.Type == "sysfs" && mapped && !userns.Unprivileged() && !o.cfg.Namespaces.IsNew(configs.NewNet):
		return o.sysfs(m)
	}
	return nil, nil
}

// Bind opens what m binds.
func (o *TreeOpener) Bind(m *configs.Mount) (*os.File, error) {
	tree, err := openTree(m, o.cfg.Rootfs.Propagation, o.idMaps, o.HaveSetAttr())
	if err == nil && tree != nil && o.cfg.Namespaces.Contains(configs.NewUser) {
		if err = keepLocked(m, tree); err != nil {
			err = errors.Join(err, tree.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return tree, nil
}

// noIDMaps explains why a mount cannot have id maps on a kernel without mount_setattr(2), or if
// something blocks the call.
func noIDMaps(setattr error) error {
	if errors.Is(setattr, unix.EPERM) {
		return fmt.Errorf("id-mapped mount: %w", setattr)
	}
	return fmt.Errorf("id-mapped mounts need Linux 5.12: %w", setattr)
}

// HaveSetAttr asks the kernel once.
func (o *TreeOpener) HaveSetAttr() error {
	if !o.probed {
		o.setattr, o.probed = mountapi.HaveSetAttr(), true
	}
	return o.setattr
}

// idMapped makes a file system with id maps.
func (o *TreeOpener) idMapped(m *configs.Mount) (*os.File, error) {
	if err := o.HaveSetAttr(); err != nil {
		return nil, noIDMaps(err)
	}
	tree, err := filesystem.New(m, o.cfg.MountLabel)
	if err != nil {
		return nil, fmt.Errorf("id-mapped mount: %w", err)
	}
	if err := o.idMaps.apply(m, tree); err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return tree, nil
}

// sysfs makes a sysfs for a network namespace that the container's user namespace does not own,
// so that the container may not mount it.
func (o *TreeOpener) sysfs(m *configs.Mount) (*os.File, error) {
	var tree *os.File
	var err error
	if o.cfg.Namespaces.Contains(configs.NewNet) {
		made := make(chan struct{})
		osthread.Go(func() {
			defer close(made)
			if err = unix.Setns(int(o.pidfd.Fd()), unix.CLONE_NEWNET); err == nil {
				tree, err = filesystem.New(m, o.cfg.MountLabel)
			}
		})
		<-made
	} else {
		tree, err = filesystem.New(m, o.cfg.MountLabel)
	}
	if errors.Is(err, unix.EPERM) {
		return nil, nil // a runtime that is itself in a user namespace has no right to do so either
	}
	return tree, err
}

// openTree opens what m binds. A nil file leaves it to the builder.
func openTree(m *configs.Mount, propagation uintptr, idMaps *idMapper, setattr error) (*os.File, error) {
	if setattr != nil {
		if m.IDMap != "" {
			return nil, noIDMaps(setattr)
		}
		// Without mount_setattr(2) (Linux 5.12) a detached tree cannot be kept from propagating
		// to the host. The builder opens what its root may reach.
		return nil, nil
	}
	tree, err := openBindSource(m, propagation)
	if errors.Is(err, unix.EPERM) && m.IDMap == "" {
		// Without rights over the mount namespace the runtime can do no more than the builder.
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

// openBindSource clones what m binds. The clone gets the propagation that it would have if it
// came from the container's mount namespace: that one has slaves of the host's mounts, changed
// by rootfsPropagation.
func openBindSource(m *configs.Mount, propagation uintptr) (*os.File, error) {
	fd, err := rootfs.OpenSource(m)
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

// keepLocked refuses options that remove a restriction of the host's mount. The kernel locks
// those flags in the mounts that a user namespace gets from the host, but not in trees that the
// host's root has cloned. The flags in statfs(2) have the same bits as in mount(2) and
// mount_setattr(2).
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

// receiveTrees receives what openTrees has opened in the runtime. indices are those of the n
// mounts.
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
