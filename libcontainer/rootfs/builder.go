// SPDX-License-Identifier: Apache-2.0

// Package rootfs is the builder: it makes the container's root file system from inside the
// container's namespaces, on one locked OS thread that the caller has moved there.
//
// Everything is done with file descriptors. No path in the rootfs is ever followed as a string,
// because a container that shares a volume may replace any component of it by a symbolic link
// at any time.
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
	"github.com/berth-run/berth/libcontainer/rootfs/dev"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/berth-run/berth/libcontainer/rootfs/inside"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"github.com/berth-run/berth/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// CgroupHierarchy is one mounted cgroup hierarchy, for a mount of type cgroup.
type CgroupHierarchy struct {
	// Name is the directory below /sys/fs/cgroup on v1 ("cpu,cpuacct", "systemd"); "" for v2.
	Name string
	// Options are the mount options that select a v1 hierarchy: "cpu,cpuacct",
	// "none,name=systemd".
	Options string
	// Links are symbolic links beside Name that point to it ("cpu" for "cpu,cpuacct").
	Links []string
	// HostPath is the container's own cgroup in the host's mount namespace.
	HostPath string
	// V2 is set for a cgroup2 hierarchy.
	V2 bool
}

// Options are what the builder needs besides the plan.
type Options struct {
	Config *configs.Config
	// ProcContexts are procfs contexts of the container's pid namespace, one for each mount of
	// type proc, in the order of the config. The builder takes them over.
	ProcContexts []*os.File
	// Trees are the sources of bind mounts, and what filesystem.New has made, as detached mount
	// trees by the index of the mount. If one is nil, or missing at the end, the builder opens
	// or makes it. They are for what the builder has no right to, because it is only root in a
	// user namespace, and for mounts with id maps, which it cannot set. They belong to the
	// caller and must stay open until Mount has returned.
	Trees []*os.File
	// InOrder holds the indices of bind mounts whose sources OpenSource opens when the mounts
	// before them have been made, on the builder's thread. Like Trees they are for what the
	// builder may not open itself.
	InOrder    []int
	OpenSource func(index int) (*os.File, error)
	// DeviceTrees are nodes that the builder may not make, as detached mounts by the index of
	// the device. If one is nil, or missing at the end, the builder makes or binds it. They
	// belong to the caller.
	DeviceTrees []*os.File
	// OpenRoot opens the directory of the root file system, and PrivateParent makes the mount
	// that contains it private, as [host.PrivateParent] does. They are for a root below directories
	// that the builder may not enter. Reach calls r.Do with the rights of the runtime. All of
	// them are called on the builder's thread. They are nil if nobody has more rights than the
	// builder.
	OpenRoot      func() (int, error)
	PrivateParent func() error
	Reach         func(root int, r *reach.Request) (int, error)
	// NamespaceRoot is the root of the mount namespace, if it is not the root directory of the
	// builder's thread; otherwise nil. It belongs to the caller.
	NamespaceRoot *os.File
	// OnHost is set if the mount namespace has nothing in it but the root file system, so that
	// NamespaceRoot is the root of that. It calls a function while the builder's thread is in the
	// host's mount namespace, to clone mounts from there.
	OnHost func(do func() error) error
	// Cgroups are the hierarchies for mounts of type cgroup.
	Cgroups []CgroupHierarchy
	// CopyUp copies the content of the directory from to the directory to, which nobody else
	// sees, and its owner if owner is set. The container is charged for the memory. It is
	// called on the builder's thread.
	CopyUp func(from, to *os.File, owner bool) error
	// Track gets the phases of the builder.
	Track trace.Track
}

// Builder builds one root file system. Its methods are called in the order Mount, Console
// (optional), Enter, Home. All are called on a thread in the container's namespaces, which has its
// own root, working directory and umask (unshare(2) with CLONE_FS), since the builder changes all
// three. After Mount the thread may have left the namespaces and entered them again.
type Builder struct {
	c *configs.Config
	o *Options
	// root is the rootfs: first the directory, and from bindRoot on the mount that will be "/"
	// in the container.
	root *reach.Root
	// below is the directory that root is mounted on; nil before bindRoot.
	below *inroot.Root
	// id identifies the root, to detect a mount onto it.
	id mountapi.FileID
	// proc is the procfs from outside, for calls that need a path.
	proc *procfs.Handle
	// inner is a procfs of the container that the builder has just mounted itself; nil if there
	// is none.
	inner *procfs.Handle
	// attacher attaches and changes mounts.
	attacher *attach.Attacher
	// procContexts are those of o that are still unused.
	procContexts []*os.File
	// late are mounts to be made read-only at the end.
	late []lateReadonly
	// mountID is the rootfs's bind mount (mountapi.ID), if it is on the host. It is 0 if the container
	// has a mount namespace, whose mounts disappear with it.
	mountID uint64
	// live is set if the container exists already.
	live *Live
}

// lateReadonly is a mount that must stay writable until mount points and devices have been
// created in it.
type lateReadonly struct {
	fd    int
	field string
	// remount is the mount of the plan that asks for it, with its other options; nil for the
	// mount itself.
	remount *configs.Mount
}

// New opens what the builder needs before the first mount.
func New(o *Options) (*Builder, error) {
	b := &Builder{c: o.Config, o: o, procContexts: o.ProcContexts}
	// Modes are given in full everywhere. A umask would only remove bits.
	unix.Umask(0)
	var err error
	if b.proc, err = procfs.Host(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.attacher = attach.New(b.proc, b.c.Namespaces.Contains(configs.NewUser))
	if err = b.openRoot(); err != nil {
		return nil, errors.Join(fmt.Errorf("root.path: %w", err), b.Close())
	}
	return b, nil
}

// Mount sets the propagation, binds the rootfs, and makes all mounts, devices and links. After
// it, createRuntime and createContainer hooks may run.
//
// If the container has no mount namespace of its own, everything is mounted on the host, below
// one private mount. If Mount fails, it has removed that itself.
func (b *Builder) Mount() error {
	err := b.mountAll()
	if err != nil && b.mountID != 0 {
		err = errors.Join(err, host.Detach(b.c.Rootfs.Path, b.mountID))
		b.mountID = 0
	}
	return err
}

func (b *Builder) mountAll() error {
	span := b.o.Track.Begin("bind the root file system")
	if err := span.End(b.prepareRoot()); err != nil {
		return err
	}
	for i := range b.c.Mounts {
		m := &b.c.Mounts[i]
		span = b.o.Track.Begin("mount", m.Field, m.Destination)
		if err := span.End(b.mount(i, m)); err != nil {
			return MountError(m, err)
		}
	}
	if !b.c.PopulateDev {
		return nil
	}
	d := b.dev()
	span = b.o.Track.Begin("make devices")
	err := d.Nodes(b.c.Devices)
	if err == nil {
		err = d.Links()
	}
	return span.End(err)
}

// Enter makes the rootfs the root of the mount namespace and seals it: pivot_root, propagation,
// read-only remounts, cwd, host name, sysctls, read-only and masked paths. If it returns a
// directory, init must chroot into it: there was no pivot_root, or init was in a chroot, which
// pivot_root leaves as it is. The caller owns it.
func (b *Builder) Enter() (*os.File, error) {
	steps := [...]struct {
		what string
		do   func() error
	}{
		{"pivot_root", b.enterRoot},
		{"set the propagation", b.latePropagation},
		{"make the working directory", b.makeCwd},
		{"make mounts read-only", b.remountReadonly},
		{"set the host name", b.setNames},
		{"set sysctls", b.setSysctls},
		{"make paths read-only", b.protectPaths},
		{"mask paths", b.maskPaths},
		{"enter the root directory", b.chdirRoot}, // some of the fallbacks have changed it
	}
	for _, step := range steps {
		span := b.o.Track.Begin(step.what)
		if err := span.End(step.do()); err != nil {
			return nil, err
		}
	}
	if b.rooted() || b.pivots() && b.o.NamespaceRoot == nil {
		return nil, nil
	}
	fd, err := sysfile.Dup(b.root.FD())
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), b.c.Rootfs.Path), nil
}

// Close closes all file descriptors of the builder, including unused procfs contexts.
func (b *Builder) Close() error {
	var errs []error
	for _, l := range b.late {
		errs = append(errs, unix.Close(l.fd))
	}
	b.late = nil
	for _, f := range b.procContexts {
		errs = append(errs, f.Close())
	}
	b.procContexts = nil
	for _, h := range []**procfs.Handle{&b.inner, &b.proc} {
		if *h != nil {
			errs = append(errs, (*h).Close())
			*h = nil
		}
	}
	if b.root != nil {
		errs = append(errs, b.root.Close())
		b.root = nil
	}
	if b.below != nil {
		errs = append(errs, b.below.Close())
		b.below = nil
	}
	return errors.Join(errs...)
}

// dev returns what makes the files in /dev.
func (b *Builder) dev() *dev.Maker {
	return &dev.Maker{
		Root: b.root, Attacher: b.attacher, UserNS: b.c.Namespaces.Contains(configs.NewUser), Trees: b.o.DeviceTrees,
		OpenHost: func(path string) (int, error) { return b.openHost(path, false) },
	}
}

// rooted reports whether the mount namespace has nothing in it but the root file system.
func (b *Builder) rooted() bool { return b.o.OnHost != nil }

// openHost clones a mount of the host.
func (b *Builder) openHost(path string, recursive bool) (tree int, err error) {
	if b.o.OnHost == nil {
		return mountapi.OpenTree(path, recursive)
	}
	herr := b.o.OnHost(func() error {
		tree, err = mountapi.OpenTree(path, recursive)
		return nil
	})
	if err == nil && herr != nil {
		_ = unix.Close(tree)
	}
	return tree, errors.Join(err, herr)
}

// pivots reports whether the rootfs becomes "/" by pivot_root(2).
func (b *Builder) pivots() bool { return b.ownMounts() && !b.c.NoPivotRoot }

// ownMounts reports whether the container has a mount namespace, new or joined.
func (b *Builder) ownMounts() bool { return b.c.Namespaces.Contains(configs.NewMount) }

// attach is Attacher.Attach, in the container's mount namespace.
func (b *Builder) attach(tree, target int, adjust func(fd int) error) error {
	if b.live != nil {
		return b.live.attach(tree, target, adjust)
	}
	return b.attacher.Attach(tree, target, adjust)
}

// attachFilled is attach for a tree that has to be attached before fill can work on it.
func (b *Builder) attachFilled(tree, target int, fill func() error) error {
	if b.live == nil {
		if err := b.attach(tree, target, nil); err != nil {
			return err
		}
		return fill()
	}
	if err := b.live.stage(tree, fill); err != nil {
		return err
	}
	return b.attach(tree, target, nil)
}

// Home returns the home directory of uid in the container's /etc/passwd, "/" if there is none.
func (b *Builder) Home(uid uint32) (string, error) {
	return inside.Home(b.root.Root, b.proc, uid)
}

// Landlock makes the ruleset of the container's process, for the files as they are after Enter.
// It returns nil if the plan has none.
func (b *Builder) Landlock() (*os.File, error) {
	return inside.Landlock(b.root.Root, b.c.Process.Landlock)
}
