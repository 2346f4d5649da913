// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/attach"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// Live adds mounts to an existing container and removes some. The container's processes may be
// hostile, and they run: they rename, link and mount in the meantime. So each mount is
// completed where they cannot see it, from what the host has at its paths. Only the finished
// tree is moved in, onto a file that was resolved inside the container's root:
//
//	outside (the host's mounts, a copy)      inside (the container's)
//	open the target, below a descriptor of the container's root
//	open_tree or fsmount: a detached tree
//	options, content
//	setns ───────────────────────────────▶   move_mount onto the target
//	setns ◀───────────────────────────────
//
// A Live belongs to one thread, which has its own root, working directory and umask, and is in
// a mount namespace of its own: a copy of the host's, from which nothing propagates to the
// host. Only the Live may use the thread afterwards.
type Live struct {
	b *Builder
	// outside and inside are the two mount namespaces.
	outside, inside int
	// attached are the mounts that were moved in, so that they can be removed again.
	attached []int
}

// LiveOptions are what Live needs.
type LiveOptions struct {
	Options
	// Enter moves the calling thread into the container's namespaces: the mount namespace, and
	// those that file systems show (network, ipc, cgroup).
	Enter func() error
	// Root is the container's root directory as seen from its mount namespace.
	Root string
}

// NewLive enters the container and leaves its mount namespace again.
func NewLive(o *LiveOptions) (*Live, error) {
	l := &Live{b: &Builder{c: o.Config, o: &o.Options, procContexts: o.ProcContexts}, outside: -1, inside: -1}
	l.b.live = l
	unix.Umask(0)
	if err := l.open(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Live) open(o *LiveOptions) (err error) {
	if l.b.proc, err = procfs.Host(); err != nil {
		return err
	}
	l.b.attacher = attach.New(l.b.proc, o.Config.Namespaces.Contains(configs.NewUser))
	if l.outside, err = l.b.proc.OpenThread("ns/mnt"); err != nil {
		return err
	}
	if err := o.Enter(); err != nil {
		return err
	}
	if l.inside, err = l.b.proc.OpenThread("ns/mnt"); err != nil {
		return err
	}
	root, err := inroot.Open(o.Root)
	if err != nil {
		return err
	}
	l.b.root = reach.NewRoot(root, nil)
	if l.b.id, err = mountapi.Identify(l.b.root.FD()); err != nil {
		return err
	}
	return l.leave()
}

func (l *Live) leave() error { return setMountNamespace(l.outside) }

func setMountNamespace(fd int) error {
	return os.NewSyscallError("setns", unix.Setns(fd, unix.CLONE_NEWNS))
}

// within calls do in the container's mount namespace.
func (l *Live) within(do func() error) error {
	if err := setMountNamespace(l.inside); err != nil {
		return err
	}
	return errors.Join(do(), l.leave())
}

// Add makes the mounts of the config, all or none. The directories and empty files that were
// created for them stay, as after a create.
func (l *Live) Add() error {
	err := l.add()
	if err == nil {
		return nil
	}
	uerr := l.within(func() error {
		var all error
		for i := len(l.attached) - 1; i >= 0; i-- {
			all = errors.Join(all, l.b.proc.WithPath(l.attached[i], lazyUmount))
		}
		return all
	})
	if uerr != nil {
		return fmt.Errorf("%w (then, unmount what was mounted before: %w)", err, uerr)
	}
	return err
}

func (l *Live) add() error {
	for i := range l.b.c.Mounts {
		m := &l.b.c.Mounts[i]
		if m.Flags&unix.MS_REMOUNT != 0 {
			// If a later mount failed, its old state could not be restored.
			return fmt.Errorf(`%s.options: "remount" does not add a mount`, m.Field)
		}
		span := l.b.o.Track.Begin("mount", m.Field, m.Destination)
		if err := span.End(l.b.mount(i, m)); err != nil {
			return MountError(m, err)
		}
	}
	return l.within(l.b.remountLate)
}

// attach puts the detached tree on target. Unlike in a create, the tree has to be finished by
// then, since the container sees it.
func (l *Live) attach(tree, target int, adjust func(fd int) error) error {
	if adjust != nil {
		finish := adjust
		if !l.b.attacher.Early {
			// Without mount_setattr(2) (Linux 5.12): mount(2), which works only on attached
			// mounts.
			finish = func(tree int) error { return l.stage(tree, func() error { return adjust(tree) }) }
		}
		if err := finish(tree); err != nil {
			return err
		}
	}
	kept, err := sysfile.Dup(tree)
	if err != nil {
		return err
	}
	err = l.within(func() error { return mountapi.MoveMount(tree, target) })
	if err != nil {
		return errors.Join(err, unix.Close(kept))
	}
	l.attached = append(l.attached, kept)
	return nil
}

// Where mounts are assembled outside: files that every host has.
const (
	stagingDir  = "/proc"
	stagingFile = "/proc/meminfo"
)

// stage attaches the tree outside, where do can work on it, and detaches it again. Afterwards
// the descriptor refers to the resulting detached tree.
func (l *Live) stage(tree int, do func() error) error {
	id, err := mountapi.Identify(tree)
	if err != nil {
		return err
	}
	at := stagingFile
	if id.IsDir() {
		at = stagingDir
	}
	if err := mountapi.MoveMountAt(tree, unix.AT_FDCWD, at); err != nil {
		return err
	}
	if err = do(); err == nil {
		err = detach(tree)
	}
	return errors.Join(err, unmountStaged(at))
}

// detach makes tree the descriptor of a detached copy of the mounts it refers to.
func detach(tree int) error {
	clone, err := mountapi.CloneTree(tree, true)
	if err != nil {
		return err
	}
	err = os.NewSyscallError("dup3", unix.Dup3(clone, tree, unix.O_CLOEXEC))
	return errors.Join(err, unix.Close(clone))
}

// stageOldWay makes a detached tree with mount(2), which only makes attached ones.
func stageOldWay(mount func(path string) error) (int, error) {
	if err := mount(stagingDir); err != nil {
		return -1, err
	}
	tree, err := mountapi.OpenTree(stagingDir, false)
	return tree, errors.Join(err, unmountStaged(stagingDir))
}

func unmountStaged(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil {
		return &os.PathError{Op: "umount2", Path: path, Err: err}
	}
	return nil
}

// Close releases what Live holds. What it has mounted stays.
func (l *Live) Close() error {
	errs := []error{l.b.Close()}
	for _, fd := range append(l.attached, l.outside, l.inside) {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	l.attached, l.outside, l.inside = nil, -1, -1
	return errors.Join(errs...)
}
