// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs/target"
	"golang.org/x/sys/unix"
)

// mountCgroup makes a mount of type cgroup: what the host has, narrowed to the container. On v2
// that is one file system. On v1 it is a tmpfs with one mount for each hierarchy.
func (b *Builder) mountCgroup(m *configs.Mount) error {
	t, err := target.Open(b.root, b.id, m, true)
	if err != nil {
		return err
	}
	defer unix.Close(t.FD)
	if len(b.o.Cgroups) == 0 {
		return b.bindHostCgroups(m, t)
	}
	if h := &b.o.Cgroups[0]; len(b.o.Cgroups) == 1 && h.V2 && h.Name == "" {
		tree, err := b.cgroupTree(h, m)
		if errors.Is(err, errNoCgroup) {
			return b.bindHostCgroups(m, t)
		}
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		return b.attachMount(m, tree, t, cgroupAttr(m))
	}
	return b.mountCgroupTmpfs(m, t)
}

// hostCgroups is where the host has its hierarchies.
const hostCgroups = "/sys/fs/cgroup"

// errNoCgroup means that a rootless container has no cgroup to show.
var errNoCgroup = errors.New("the container has no cgroup")

// bindHostCgroups shows the cgroups of the host to a rootless container without one, for which
// they cannot be mounted anew. It is read-only, whatever the options say: cgroups that the user
// owns on the host are not the container's (CVE-2023-25809).
func (b *Builder) bindHostCgroups(m *configs.Mount, t *target.Target) error {
	tree, err := b.openHost(hostCgroups, true)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return b.attach(tree, t.FD, func(fd int) error {
		a := mountapi.AttrOf(m.Flags&hostFlags|unix.MS_RDONLY, 0)
		a.Propagation = unix.MS_PRIVATE
		if err := b.attacher.Set(fd, true, a); err != nil {
			return err
		}
		return b.attacher.Adjust(m, fd, mountapi.Attr{})
	})
}

// cgroupAttr returns the attributes in the options of m, for a mount that may be a clone of the
// host's. In any case the host's later mounts must not show up in it.
func cgroupAttr(m *configs.Mount) mountapi.Attr {
	a := mountapi.AttrOf(m.Flags, m.Cleared)
	a.Propagation = unix.MS_PRIVATE
	return a
}

// mountCgroupTmpfs makes the directory of hierarchies. Like any tmpfs it becomes read-only only at the
// end: a later mount, such as a volume of a pod, may need a directory in it.
func (b *Builder) mountCgroupTmpfs(m *configs.Mount, t *target.Target) error {
	tmpfs := *m
	tmpfs.Type, tmpfs.Source, tmpfs.Data = "tmpfs", "tmpfs", []string{"mode=755"}
	tree, err := b.newFilesystem(&tmpfs, t)
	if err != nil {
		return err
	}
	err = b.attachFilled(tree, t.FD, func() error {
		for i := range b.o.Cgroups {
			if err := b.mountHierarchy(&b.o.Cgroups[i], m, tree); err != nil {
				return fmt.Errorf("%s: %w", b.o.Cgroups[i].Name, err)
			}
		}
		return b.attacher.Adjust(m, tree, mountapi.AttrOf(m.Flags&^unix.MS_RDONLY, m.Cleared))
	})
	if err != nil || m.Flags&unix.MS_RDONLY == 0 {
		return errors.Join(err, unix.Close(tree))
	}
	b.late = append(b.late, lateReadonly{fd: tree, field: m.Field})
	return nil
}

// mountHierarchy mounts h on its own directory in dir, which only the builder writes to.
func (b *Builder) mountHierarchy(h *CgroupHierarchy, m *configs.Mount, dir int) error {
	if err := unix.Mkdirat(dir, h.Name, 0o755); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	tree, err := b.cgroupTree(h, m)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if b.attacher.Early {
		if err := b.attacher.Set(tree, false, cgroupAttr(m)); err != nil {
			return err
		}
	}
	if err := mountapi.MoveMountAt(tree, dir, h.Name); err != nil {
		return err
	}
	if !b.attacher.Early {
		if err := b.attacher.Set(tree, false, cgroupAttr(m)); err != nil {
			return err
		}
	}
	for _, link := range h.Links {
		if err := unix.Symlinkat(h.Name, dir, link); err != nil {
			return &os.PathError{Op: "symlinkat", Path: link, Err: err}
		}
	}
	return nil
}

// cgroupTree returns a detached mount of what the container may see of h.
//
// A new mount shows the root of the reader's cgroup namespace. If that namespace is new, its
// root is the container's own cgroup. A bind mount of that directory is the same for the kernel
// (one superblock, another root directory), and quicker. Without a namespace a new mount of v1
// would show the host's whole hierarchy, and one of v2 does. In the first cgroup namespace the
// kernel applies the options of every new mount of v2 to the whole hierarchy: nsdelegate and
// memory_recursiveprot, which systemd sets, would be gone from the host. So whoever has the right
// to mount it gets a bind mount of the host's, unless the plan has such options. Others, who may
// see no more than their own cgroup, get that if the kernel refuses a new mount.
func (b *Builder) cgroupTree(h *CgroupHierarchy, m *configs.Mount) (int, error) {
	joined := b.c.Namespaces.Contains(configs.NewCgroup) && !b.c.Namespaces.IsNew(configs.NewCgroup)
	if !h.V2 && !joined {
		return b.openHost(h.HostPath, false)
	}
	if h.V2 && h.Name != "" && !b.c.Namespaces.Contains(configs.NewCgroup) {
		return b.openHost(h.HostPath, false)
	}
	if h.V2 && len(m.Data) == 0 && !b.c.Namespaces.Contains(configs.NewUser) && !b.c.Cgroup.Rootless {
		first, err := b.inFirstCgroupNamespace()
		if err != nil {
			return -1, err
		}
		if first {
			return b.openHost(hostCgroups, false)
		}
	}
	tree, err := newCgroupMount(h, m)
	if h.V2 && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY)) {
		if h.HostPath == "" {
			return -1, errNoCgroup
		}
		bound, berr := b.openHost(h.HostPath, false)
		if berr != nil {
			return -1, errors.Join(err, berr)
		}
		return bound, nil
	}
	return tree, err
}

// inFirstCgroupNamespace reports whether the container is in the cgroup namespace in which the
// kernel was started: the host's, left out of the config or named by a path.
func (b *Builder) inFirstCgroupNamespace() (bool, error) {
	if b.c.Namespaces.IsNew(configs.NewCgroup) {
		return false, nil
	}
	fd, err := b.proc.OpenThread("ns/cgroup")
	if err != nil {
		return false, fmt.Errorf("cgroup namespace: %w", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	const firstCgroup = 0xeffffffb // PROC_CGROUP_INIT_INO (linux/proc_ns.h)
	return st.Ino == firstCgroup, nil
}

func newCgroupMount(h *CgroupHierarchy, m *configs.Mount) (int, error) {
	fstype := "cgroup"
	if h.V2 {
		fstype = "cgroup2"
	}
	c, err := mountapi.NewContext(fstype)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	if err := c.SetString("source", fstype); err != nil {
		return -1, err
	}
	options := strings.Split(h.Options, ",")
	if h.V2 {
		options = m.Data
	}
	for _, o := range options {
		if o == "" {
			continue
		}
		if err := c.SetOption(o); err != nil {
			return -1, err
		}
	}
	if err := c.Create(); err != nil {
		return -1, err
	}
	return c.Mount(mountapi.AttrOf(m.Flags, 0).Set)
}
