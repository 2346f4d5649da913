// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"golang.org/x/sys/unix"
)

// openDevices makes the nodes of linux.devices for a container with a user namespace, whose
// root may not make any. It makes them on a file system of the host that nobody else sees, with
// the mode from the config and the mapped owner. The builder gets each of them as a detached
// mount. If the caller may not make nodes either, the builder binds the host's. It also binds
// the default devices, which are the same everywhere.
func (j *buildJob) openDevices() error {
	wanted := false
	for i := range j.Config.Devices {
		wanted = wanted || isMadeOutside(&j.Config.Devices[i])
	}
	if !wanted || !j.ordered || !j.Config.PopulateDev || userns.Unprivileged() || !j.Config.Namespaces.Contains(configs.NewUser) {
		return nil
	}
	var err error
	done := make(chan struct{})
	osthread.Go(func() {
		defer close(done)
		err = j.makeDevices()
	})
	<-done
	return err
}

// isMadeOutside reports whether openDevices makes the device. Anybody can make a fifo.
func isMadeOutside(d *configs.Device) bool {
	return !d.Default && d.Type != 'p' && d.Path != configs.PtmxPath
}

// deviceStage is where the nodes are while they are made: a directory that every host has.
const deviceStage = "/proc"

// makeDevices makes the nodes on a thread that ends afterwards, with its mount namespace.
// Before Linux 6.15 only attached mounts can be cloned.
func (j *buildJob) makeDevices() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return skipEPERM(fmt.Errorf("unshare(CLONE_NEWNS): %w", err))
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/", Err: err}
	}
	if err := unix.Mount("berth", deviceStage, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=700,size=64k"); err != nil {
		return &os.PathError{Op: "mount", Path: deviceStage, Err: err}
	}
	stage, err := os.Open(deviceStage)
	if err != nil {
		return err
	}
	defer stage.Close()
	for i := range j.Config.Devices {
		d := &j.Config.Devices[i]
		if !isMadeOutside(d) {
			continue
		}
		tree, err := j.makeDevice(d, stage, strconv.Itoa(i))
		if err != nil {
			return skipEPERM(fmt.Errorf("device %s: %w", d.Path, err))
		}
		if j.trees == nil {
			j.trees = make([]*os.File, j.treeCount())
		}
		j.trees[len(j.Config.Mounts)+i] = tree
	}
	return nil
}

// skipEPERM ignores the error of a caller who lacks the right.
func skipEPERM(err error) error {
	if errors.Is(err, unix.EPERM) {
		return nil
	}
	return err
}

// makeDevice makes one node and a tree of it.
func (j *buildJob) makeDevice(d *configs.Device, stage *os.File, name string) (*os.File, error) {
	dir := int(stage.Fd())
	kind := uint32(unix.S_IFCHR)
	if d.Type == 'b' {
		kind = unix.S_IFBLK
	}
	if err := unix.Mknodat(dir, name, kind|0o600, int(unix.Mkdev(uint32(d.Major), uint32(d.Minor)))); err != nil {
		return nil, os.NewSyscallError("mknodat", err)
	}
	// An id that is not mapped shows as the overflow id in the container, and so does the
	// host's root.
	uid, _ := configs.HostID(j.Config.UIDMappings, d.UID)
	gid, _ := configs.HostID(j.Config.GIDMappings, d.GID)
	if err := unix.Fchownat(dir, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, os.NewSyscallError("fchownat", err)
	}
	// The umask of this process may be anything.
	if err := unix.Fchmodat(dir, name, d.FileMode&0o7777, 0); err != nil {
		return nil, os.NewSyscallError("fchmodat", err)
	}
	fd, err := mountapi.OpenTree(deviceStage+"/"+name, false)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.Path), nil
}

// treeCount returns the length of trees, if there are any: mounts, then devices.
func (j *buildJob) treeCount() int { return len(j.Config.Mounts) + len(j.Config.Devices) }

// DeviceTrees are what openDevices makes, for a caller that mounts them itself. The zero value
// has none.
type DeviceTrees struct{ job buildJob }

// NewDeviceTrees makes the trees of the devices in cfg.
func NewDeviceTrees(cfg *configs.Config) (*DeviceTrees, error) {
	t := &DeviceTrees{buildJob{Config: cfg, ordered: true}}
	if err := t.job.openDevices(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Tree returns the tree of the device at index, nil for none. It still belongs to the
// DeviceTrees.
func (t *DeviceTrees) Tree(index int) *os.File {
	if t.job.Config == nil {
		return nil
	}
	if i := len(t.job.Config.Mounts) + index; i < len(t.job.trees) {
		return t.job.trees[i]
	}
	return nil
}

// Close closes the trees.
func (t *DeviceTrees) Close() { t.job.close() }
