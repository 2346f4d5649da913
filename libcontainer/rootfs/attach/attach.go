// SPDX-License-Identifier: Apache-2.0

// Package attach puts detached mounts where they belong, and changes what the options of a mount
// ask for, on kernels with and without mount_setattr(2).
package attach

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

// Attacher attaches and changes mounts.
type Attacher struct {
	// Early is set if a mount can be changed before it is attached: the kernel has
	// mount_setattr(2) (Linux 5.12).
	Early bool
	// locked is set if flags may be locked.
	locked bool
	// proc is the procfs from outside, for calls that need a path.
	proc *procfs.Handle
}

// New returns an Attacher that uses proc, a procfs from outside. userns is set for a container with
// a user namespace.
func New(proc *procfs.Handle, userns bool) *Attacher {
	return &Attacher{Early: mountapi.HaveSetAttr() == nil, locked: userns, proc: proc}
}

// Attach puts the detached tree on target and lets adjust change it: before anybody can see it
// if the kernel has mount_setattr(2), and right after otherwise, since mount(2) works only on
// attached mounts.
func (t *Attacher) Attach(tree, target int, adjust func(fd int) error) error {
	if t.Early && adjust != nil {
		if err := adjust(tree); err != nil {
			return err
		}
	}
	if err := mountapi.MoveMount(tree, target); err != nil {
		return err
	}
	if !t.Early && adjust != nil {
		return adjust(tree)
	}
	return nil
}

// Set changes the mount whose root fd is, before it is attached if the kernel can do that.
// See Attach.
func (t *Attacher) Set(fd int, recursive bool, a mountapi.Attr) error {
	if a.IsZero() {
		return nil
	}
	if t.Early {
		return mountapi.SetAttr(fd, recursive, a)
	}
	// Without mount_setattr(2) (Linux 5.12): mount(2), which needs a path.
	return t.proc.WithPath(fd, func(path string) error {
		return mountapi.Remount(path, fd, recursive, a)
	})
}

// Adjust changes a mount as the options of m ask, in this order: first what applies to one
// mount, then what applies to everything below it.
func (t *Attacher) Adjust(m *configs.Mount, fd int, a mountapi.Attr) error {
	if err := t.Set(fd, false, a); err != nil {
		return err
	}
	for _, p := range m.Propagation {
		a := mountapi.Attr{Propagation: uint64(p &^ unix.MS_REC)}
		if err := t.Set(fd, p&unix.MS_REC != 0, a); err != nil {
			return fmt.Errorf("propagation: %w", err)
		}
	}
	rec := mountapi.FullAtime(mountapi.Attr{Set: m.RecAttrSet, Clear: m.RecAttrClear})
	if err := t.Set(fd, true, rec); err != nil {
		return fmt.Errorf("recursive options: %w", err)
	}
	return nil
}

// ReplaceFlags gives the mount of fd the flags that m names, and no others, as runc does:
// engines that want to keep a flag of the source name it. Flags that are locked in a user
// namespace stay. Trees that the host's root has cloned have no locked flags, and must not lose
// more than the others.
func (t *Attacher) ReplaceFlags(m *configs.Mount, fd int) error {
	a := mountapi.ReplaceAttr(m.Flags)
	if !t.locked {
		err := t.Set(fd, false, a)
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		// The runtime itself is in a user namespace.
	}
	a, err := mountapi.KeepLocked(fd, m.Cleared, a)
	if err != nil {
		return err
	}
	return t.Set(fd, false, a)
}
